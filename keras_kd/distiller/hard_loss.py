"""The loss on hard labels: inferred from labels and head, or the user's own."""

import contextlib
import inspect
import itertools

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd.losses import MultiLabelDistillation
from keras_kd.outputs import Head


@keras.saving.register_keras_serializable(package="keras_kd")
class HardLabelCrossEntropy(keras.losses.Loss):
    """Cross-entropy on logits, suited to the labels it is given.

    Args:
        activation: "softmax" for classes that exclude each other: labels are integers
            `(batch,)` or `(batch, 1)`, or one-hot rows. "sigmoid" for labels that do
            not: multi-hot rows, or 0/1 for a head of one unit.
        name: str.

    Reference:
        The usual cross-entropy; https://keras.io/api/losses/probabilistic_losses/.

    Example:
        >>> loss = HardLabelCrossEntropy("softmax")
        >>> round(float(loss(ops.array([1]), ops.array([[0.0, 0.0]]))), 3)
        0.693
    """

    def __init__(self, activation, name="student_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.activation = activation

    def call(self, y_true, y_pred):
        """The cross-entropy of each example: `(batch,)`."""
        num_classes = y_pred.shape[-1]
        if self.activation == "sigmoid" or num_classes == 1:
            y_true = ops.reshape(y_true, ops.shape(y_pred))
            return keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True)
        if is_sparse(y_true.shape, y_pred.shape):
            return keras.losses.sparse_categorical_crossentropy(
                ops.reshape(y_true, ops.shape(y_pred)[:-1]), y_pred, from_logits=True
            )
        return keras.losses.categorical_crossentropy(y_true, y_pred, from_logits=True)

    def get_config(self):
        """The arguments of the constructor."""
        return {**super().get_config(), "activation": self.activation}


def inferred_loss(head, losses):
    """The loss on hard labels for each output, where the user left it out.

    Args:
        head: the student's `Head`, or a structure of them.
        losses: the distillation losses; where one takes each label by itself, so does
            the loss on hard labels.

    Returns:
        `HardLabelCrossEntropy`, or a structure of them like `head`.
    """
    alone = {
        loss.output
        for loss in losses
        if isinstance(getattr(loss, "loss", loss), MultiLabelDistillation)
    }

    def of(head, output):
        is_sigmoid = head.activation == "sigmoid" or output in alone
        return HardLabelCrossEntropy("sigmoid" if is_sigmoid else "softmax")

    if isinstance(head, Head):
        return of(head, None)
    if isinstance(head, dict):
        return {name: of(one, name) for name, one in head.items()}
    return [of(one, number) for number, one in enumerate(head)]


def is_inferred(loss):
    """Whether a loss on hard labels is one of `inferred_loss`."""
    parts = keras.tree.flatten(loss)
    return bool(parts) and all(isinstance(p, HardLabelCrossEntropy) for p in parts)


def is_sparse(labels_shape, logits_shape):
    """Whether labels of this shape are class numbers rather than one value a class.

    Example:
        >>> is_sparse((32,), (32, 10)), is_sparse((32, 10), (32, 10))
        (True, False)
    """
    same_rank = len(labels_shape) == len(logits_shape)
    return not same_rank or (labels_shape[-1] == 1 and logits_shape[-1] != 1)


def check_from_logits(loss, head, *, where="Distiller.compile"):
    """Raises if a loss reads the student's outputs as what they are not.

    Args:
        loss: what `compile(loss=...)` takes: a name, function, `keras.losses.Loss`, or
            a structure of them; or what `compile(metrics=...)` takes.
        head: the student's `Head`, or a structure of them.
        where: str, see `invalid`.
    """
    for part, of_part in _pairs(loss, head):
        reads_logits = _reads_logits(part)
        if of_part.activation == "unknown" or reads_logits is None:
            continue
        if reads_logits != of_part.gives_probabilities:
            continue
        gives = "probabilities" if of_part.gives_probabilities else "logits"
        raise invalid(
            where,
            f"a loss with from_logits={not reads_logits}, because the student's head "
            f"({of_part.activation}) gives {gives}",
            f"{name_of(part)} with from_logits={reads_logits}",
            "Leave out `loss` to have it inferred, or set from_logits="
            f"{not reads_logits}.",
        )


def _pairs(loss, head):
    """Each loss with the head that it reads, as far as it is known."""
    if isinstance(head, Head) or not keras.tree.is_nested(loss):
        heads = keras.tree.flatten(head)
        return itertools.product(keras.tree.flatten(loss), heads)
    names = loss if isinstance(loss, dict) else range(len(loss))
    known = head if isinstance(head, dict) else dict(enumerate(head))
    return [
        (part, known[name])
        for name in names
        if name in known
        for part in keras.tree.flatten(loss[name])
    ]


def _reads_logits(loss):
    """The loss's `from_logits`, or None if it has no such option."""
    if isinstance(loss, (str, dict)):
        loss = found(loss)
    if isinstance(loss, (keras.losses.Loss, keras.metrics.Metric)):
        return loss.get_config().get("from_logits")
    if not callable(loss):
        return None
    option = inspect.signature(loss).parameters.get("from_logits")
    return None if option is None else option.default


def found(name):
    """The loss or metric that Keras has by a name; None if there is none."""
    for get in (keras.losses.get, keras.metrics.get):
        with contextlib.suppress(ValueError):
            return get(name)
    return None  # Keras says so, or reads it in its own way, such as "acc"


def name_of(loss):
    """What to call a loss or metric in a message."""
    return repr(loss) if isinstance(loss, str) else getattr(loss, "name", loss)

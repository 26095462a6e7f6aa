"""The loss on hard labels: inferred from labels and head, or the user's own."""

import inspect

import keras
from keras import ops

from keras_kd._checks import invalid


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
            a structure of them.
        head: the student's `Head`.
        where: str, see `invalid`.
    """
    if head.activation == "unknown":
        return
    for part in keras.tree.flatten(loss):
        reads_logits = _reads_logits(part)
        if reads_logits is None or reads_logits != head.gives_probabilities:
            continue
        gives = "probabilities" if head.gives_probabilities else "logits"
        raise invalid(
            where,
            f"a loss with from_logits={not reads_logits}, because the student's head "
            f"({head.activation}) gives {gives}",
            f"{_name(part)} with from_logits={reads_logits}",
            "Leave out `loss` to have it inferred, or set from_logits="
            f"{not reads_logits}.",
        )


def _reads_logits(loss):
    """The loss's `from_logits`, or None if it has no such option."""
    if isinstance(loss, (str, dict)):
        loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        return loss.get_config().get("from_logits")
    if not callable(loss):
        return None
    option = inspect.signature(loss).parameters.get("from_logits")
    return None if option is None else option.default


def _name(loss):
    return repr(loss) if isinstance(loss, str) else getattr(loss, "name", loss)

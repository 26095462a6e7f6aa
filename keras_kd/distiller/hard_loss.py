"""The loss on hard labels: inferred from labels and head, or the user's own."""

import contextlib
import inspect
import itertools

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd.losses import MultiLabelDistillation
from keras_kd.outputs import Head

# Keras chooses by the labels, as for "accuracy"; each reads probabilities.
CROSS_ENTROPY = ("crossentropy", "ce")
# Without an option `from_logits`. The last came with Keras 3.10.
_OF_PROBABILITIES = (
    "KLDivergence",
    "Poisson",
    "Dice",
    "Tversky",
    "CategoricalGeneralizedCrossEntropy",
)
_FUNCTIONS_OF_PROBABILITIES = (
    keras.losses.kl_divergence,
    keras.losses.poisson,
    keras.losses.dice,
    keras.losses.tversky,
)


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


def inferred_loss(head, losses, student):
    """The loss on hard labels for each output, where the user left it out.

    Args:
        head: the student's `Head`, or a structure of them.
        losses: the distillation losses; where one takes each label by itself, so does
            the loss on hard labels.
        student: the model; one unit is a label by itself.

    Returns:
        `HardLabelCrossEntropy`, or a structure of them like `head`.
    """
    alone = {
        loss.output
        for loss in losses
        if isinstance(getattr(loss, "loss", loss), MultiLabelDistillation)
    }

    def of(head, output):
        shape = output_shape(student, output)
        one_unit = shape is not None and shape[-1] == 1
        is_sigmoid = head.activation == "sigmoid" or output in alone or one_unit
        return HardLabelCrossEntropy("sigmoid" if is_sigmoid else "softmax")

    if isinstance(head, Head):
        return of(head, None)
    if isinstance(head, dict):
        return {name: of(one, name) for name, one in head.items()}
    return [of(one, number) for number, one in enumerate(head)]


def output_shape(model, output):
    """The shape of one output by its name or place; None if the model does not say."""
    if not getattr(model, "outputs", None):
        return None
    if output is None:
        return tuple(model.outputs[0].shape)
    return tuple(model.output[output].shape)


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


def check_from_logits(loss, head, *, where="Distiller.compile", what="loss"):
    """Raises if a loss reads the student's outputs as what they are not.

    Args:
        loss: what `compile(loss=...)` takes: a name, function, `keras.losses.Loss`, or
            a structure of them; or what `compile(metrics=...)` takes.
        head: the student's `Head`, or a structure of them.
        where: str, see `invalid`.
        what: "loss" or "metric".
    """
    for part, of_part in _pairs(loss, head):
        reads = reads_logits(part)
        if of_part.activation == "unknown" or reads is None:
            continue
        if what == "metric" and not has_option(part):
            continue  # see `fitted_metrics`
        if reads != of_part.gives_probabilities:
            continue
        gives = "probabilities" if of_part.gives_probabilities else "logits"
        because = f"because the student's head ({of_part.activation}) gives {gives}"
        if has_option(part):
            leave_out = "leave it out to have it inferred, or " * (what == "loss")
            raise invalid(
                where,
                f"a {what} with from_logits={not reads}, {because}",
                f"{name_of(part)} with from_logits={reads}",
                f"As `{what}`, {leave_out}set from_logits={not reads}.",
            )
        raise invalid(
            where,
            f"a {what} that reads logits, {because}",
            f"{name_of(part)}, which reads probabilities",
            _instead_of(part),
        )


def ended(activation):
    """The advice to let a student give what is read."""
    return (
        "End the student in an activation: student = keras.Sequential([student, "
        f'keras.layers.Activation("{activation}")]).'
    )


def _instead_of(loss):
    kind = type(resolved(loss))
    if kind is keras.losses.Poisson or resolved(loss) is keras.losses.poisson:
        return ended("softplus")
    if kind is keras.losses.Dice or kind is keras.losses.Tversky:
        return ended("sigmoid")
    return (
        "Pass keras.losses.CategoricalCrossentropy(from_logits=True), or the one for "
        "your labels. Or: " + ended("softmax")
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


def reads_logits(loss):
    """The loss's `from_logits`; None if it has no such option, or reads any values."""
    if isinstance(loss, str) and loss.lower() in CROSS_ENTROPY:
        return False
    option = _option(resolved(loss))
    return False if option is None and _takes_probabilities(loss) else option


def has_option(loss):
    """Whether a loss or metric has the option `from_logits`."""
    return _option(resolved(loss)) is not None


def _takes_probabilities(loss):
    loss = resolved(loss)
    kinds = (name for name in _OF_PROBABILITIES if hasattr(keras.losses, name))
    return isinstance(loss, tuple(getattr(keras.losses, name) for name in kinds)) or (
        loss in _FUNCTIONS_OF_PROBABILITIES
    )


def _option(loss):
    if isinstance(loss, (keras.losses.Loss, keras.metrics.Metric)):
        return loss.get_config().get("from_logits")
    if not callable(loss):
        return None
    option = inspect.signature(loss).parameters.get("from_logits")
    return None if option is None else option.default


def resolved(loss):
    """What a name, or a Keras config, of a loss or metric stands for."""
    return found(loss) if isinstance(loss, (str, dict)) else loss


def found(name):
    """The loss or metric that Keras has by a name; None if there is none."""
    for get in (keras.losses.get, keras.metrics.get):
        with contextlib.suppress(ValueError):
            return get(name)
    return None  # Keras says so, or reads it in its own way, such as "acc"


def name_of(loss):
    """What to call a loss or metric in a message."""
    if isinstance(loss, str):
        return repr(loss)
    return getattr(loss, "name", getattr(loss, "__name__", loss))

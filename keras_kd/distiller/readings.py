"""How the outputs of a model are read, as far as the loss on hard labels tells."""

import functools
from typing import NamedTuple

import keras

from keras_kd.distiller.hard_loss import CROSS_ENTROPY, HardLabelCrossEntropy, resolved
from keras_kd.outputs import Head, ModelOutputs

_LOSSES = keras.losses
_CLASSES = (
    (_LOSSES.CategoricalCrossentropy, _LOSSES.categorical_crossentropy),
    (_LOSSES.SparseCategoricalCrossentropy, _LOSSES.sparse_categorical_crossentropy),
    (_LOSSES.CategoricalFocalCrossentropy, _LOSSES.categorical_focal_crossentropy),
    (_LOSSES.CategoricalHinge, _LOSSES.categorical_hinge),
    (_LOSSES.KLDivergence, _LOSSES.kl_divergence),
    (_LOSSES.CTC, _LOSSES.ctc),
)
_LABELS = (
    (_LOSSES.BinaryCrossentropy, _LOSSES.binary_crossentropy),
    (_LOSSES.BinaryFocalCrossentropy, _LOSSES.binary_focal_crossentropy),
    (_LOSSES.Hinge, _LOSSES.hinge),
    (_LOSSES.SquaredHinge, _LOSSES.squared_hinge),
)
_VALUES = (
    (_LOSSES.MeanSquaredError, _LOSSES.mean_squared_error),
    (_LOSSES.MeanAbsoluteError, _LOSSES.mean_absolute_error),
    (
        _LOSSES.MeanAbsolutePercentageError,
        _LOSSES.mean_absolute_percentage_error,
    ),
    (
        _LOSSES.MeanSquaredLogarithmicError,
        _LOSSES.mean_squared_logarithmic_error,
    ),
    (_LOSSES.Huber, _LOSSES.huber),
    (_LOSSES.LogCosh, _LOSSES.log_cosh),
    (_LOSSES.Poisson, _LOSSES.poisson),
    (_LOSSES.CosineSimilarity, _LOSSES.cosine_similarity),
    (_LOSSES.Circle, _LOSSES.circle),
)
_KINDS = {"softmax": _CLASSES, "sigmoid": _LABELS, "linear": _VALUES}


class OutputLoss(NamedTuple):
    """One output of a model, and what `compile(loss=...)` has for it.

    Attributes:
        name: str or int, see `ModelOutputs.of`; None for the only output.
        head: its `Head`.
        loss: a name, function or `keras.losses.Loss`; None for none.
    """

    name: str | int | None
    head: Head
    loss: object

    @property
    def reading(self):
        """See `reading`."""
        return reading(self.loss, self.head)


def of_each_output(entries, head, output_names=None):
    """What a structure given to `compile` has for each output.

    Args:
        entries: one for all outputs, or a dict or list with an entry for each.
        head: a `Head`, or a structure of them.
        output_names: list of str by which Keras, too, takes the entries of a dict for
            outputs in a list; None if the model has none.

    Returns:
        A list of `OutputLoss`.

    Example:
        >>> heads = [Head("linear"), Head("linear")]
        >>> parts = of_each_output({"a": "mse"}, heads, ["a", "b"])
        >>> [(part.name, part.loss) for part in parts]
        [(0, 'mse'), (1, None)]
    """
    if isinstance(head, Head):
        flat = keras.tree.flatten(entries)
        return [OutputLoss(None, head, flat[0] if flat else None)]
    names = ModelOutputs(head).names
    heads = head if isinstance(head, dict) else dict(enumerate(head))
    if not keras.tree.is_nested(entries):
        return [OutputLoss(name, heads[name], entries) for name in names]
    given = entries if isinstance(entries, dict) else dict(enumerate(entries))
    other = dict(zip(names, output_names or names, strict=False))
    return [
        OutputLoss(name, heads[name], given.get(name, given.get(other.get(name))))
        for name in names
    ]


def reading(loss, head):
    """How a student's outputs are read: by its head, and by the loss on hard labels.

    Args:
        loss: a name, function or `keras.losses.Loss`; None for none.
        head: the student's `Head`.

    Returns:
        "softmax" for classes that exclude each other, "sigmoid" for labels of which
        each is a decision of its own, "linear" for values, None where it cannot be
        told: outputs that are no probabilities, and a loss that is not Keras's.

    Example:
        >>> reading("mse", Head("linear")), reading("mse", Head("softmax"))
        ('linear', 'softmax')
        >>> reading(keras.losses.BinaryCrossentropy(from_logits=True), Head("linear"))
        'sigmoid'
    """
    if head.activation == "softmax":
        return "softmax"
    said = _said(loss)
    if head.activation == "sigmoid":
        return "softmax" if said == "softmax" else "sigmoid"
    return said


def _said(loss):
    """What a loss alone says of the outputs that it reads."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    if isinstance(loss, str) and loss.lower() in CROSS_ENTROPY:
        return "softmax"  # Keras takes another one for a single unit only
    loss = resolved(loss)
    if isinstance(loss, HardLabelCrossEntropy):
        return loss.activation
    for kind, losses in _KINDS.items():
        for its_class, function in losses:
            if isinstance(loss, its_class) or loss is function:
                return kind
    return None

"""A batch as `fit` gives it, and from values per example to one number."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_kd.data import Examples, as_examples


class Batch(NamedTuple):
    """One batch of any kind of data set.

    Attributes:
        examples: `keras_kd.data.Examples`.
        labels: as given to `fit`, or None.
        sample_weight: `(batch,)` or None.
    """

    examples: Examples
    labels: Any
    sample_weight: Any

    @property
    def inputs(self):
        """What the student takes."""
        return self.examples.inputs

    @property
    def example_ids(self):
        """Integers `(batch,)`, or None."""
        ids = self.examples.ids
        return None if isinstance(ids, tuple) else ids


def unpack(data):
    """The parts of what a data set gives for one step.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`; x may be `Examples`.

    Returns:
        A `Batch`.

    Example:
        >>> unpack(([[1.0]], [2])).labels
        [2]
    """
    x, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    return Batch(as_examples(x), labels, sample_weight)


def batch_mean(values, sample_weight=None):
    """The mean over a batch, each example counted by its weight.

    Like Keras's "sum_over_batch_size", the sum is divided by the number of examples and
    not by the sum of the weights.

    Args:
        values: `(batch, ...)`, averaged over the axes after the first; or a scalar,
            which is the batch's already and is returned unchanged.
        sample_weight: None, or `(batch,)` or `(batch, 1)`.

    Returns:
        A float32 scalar.

    Example:
        >>> float(batch_mean([1.0, 3.0], [1.0, 0.0]))
        0.5
    """
    values = ops.cast(values, "float32")
    if len(values.shape) == 0:
        return values
    if len(values.shape) > 1:
        values = ops.mean(values, axis=tuple(range(1, len(values.shape))))
    if sample_weight is not None:
        weights = ops.cast(sample_weight, "float32")
        values = values * ops.reshape(weights, ops.shape(values))
    return ops.mean(values)


def agreement(teacher_logits, student_logits):
    """The fraction of decisions on which two models agree.

    Args:
        teacher_logits: `(batch, num_classes)`; for one unit, its sign decides.
        student_logits: same shape.

    Returns:
        A float32 scalar in [0, 1].

    Example:
        >>> float(agreement([[2.0, 1.0], [0.0, 3.0]], [[1.0, 0.0], [1.0, 0.0]]))
        0.5
    """
    teacher_logits = ops.convert_to_tensor(teacher_logits)
    student_logits = ops.convert_to_tensor(student_logits)
    if teacher_logits.shape[-1] == 1:
        same = ops.equal(teacher_logits > 0, student_logits > 0)
    else:
        same = ops.equal(
            ops.argmax(teacher_logits, axis=-1), ops.argmax(student_logits, axis=-1)
        )
    return ops.mean(ops.cast(same, "float32"))

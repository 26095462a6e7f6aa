"""A batch as `fit` gives it, and from values per example to one number."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd.data import Examples, as_examples
from keras_kd.distiller.distributed import over_replicas
from keras_kd.distiller.entries import part_of


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


def batch_mean(values, sample_weight=None, mask=None, *, where="sample_weight"):
    """The mean over a batch, each value counted by its weight.

    As in Keras's losses, the mean is over the values that the mask leaves, and is not
    divided by the sum of the weights.

    Args:
        values: `(batch,)`, or `(batch, ...)` for several positions an example; or a
            scalar, which is the batch's already and is returned unchanged.
        sample_weight: None; `(batch,)` or `(batch, 1)`; or of the shape of `values`,
            also with a last axis of 1, for a weight at each position.
        mask: None, or bool of the shape of `values`, or of their first axes.
        where: str, what gave the values, for the error.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: There are weights for positions, but one value for an example.

    Example:
        >>> float(batch_mean([1.0, 3.0], [1.0, 0.0]))
        0.5
        >>> float(batch_mean([[1.0, 3.0], [5.0, 9.0]], mask=[[1, 1], [1, 0]]))
        3.0
    """
    values = ops.cast(values, "float32")
    rank = len(values.shape)
    if rank == 0:
        return values
    if mask is not None and len(ops.shape(mask)) <= rank:
        kept = _with_rank(ops.cast(mask, "float32"), rank) * ops.ones_like(values)
        share = _share_of_all(kept)
        values = ops.where(kept > 0, values, 0.0)
        values = values / ops.where(share > 0, share, 1.0)
    if sample_weight is not None:
        weights = ops.cast(sample_weight, "float32")
        if len(weights.shape) == rank + 1 and weights.shape[-1] == 1:
            weights = ops.squeeze(weights, axis=-1)
        if len(weights.shape) > rank:
            raise invalid(
                where,
                "one weight for each example, for a loss that has one value for each",
                f"sample_weight of shape {tuple(weights.shape)}",
                "Choose a loss with a value at each position, such as "
                "SoftTargetDistillation, or weights of shape (batch,).",
            )
        values = values * _with_rank(weights, rank)
    return ops.mean(values)


def share_here(mask):
    """How much more of the positions count on this replica than on all together.

    By this a mean over the positions that count here is multiplied, to be a part of the
    mean over those of all replicas.

    Args:
        mask: bool `(batch, ...)`; None, or a structure for several outputs, gives 1.0.

    Returns:
        A float32 scalar; 1.0 where there is one replica.
    """
    # Keras adds up its means over several outputs, each with its own mask.
    if mask is None or isinstance(mask, (dict, list, tuple)):
        return 1.0
    kept = ops.cast(mask, "float32")
    share = _share_of_all(kept)
    return ops.mean(kept) / ops.where(share > 0, share, 1.0)


def _share_of_all(kept):
    number = ops.cast(ops.size(kept), "float32")
    return over_replicas(ops.sum(kept)) / over_replicas(number)


def counted(student, labels, loss, others):
    """The student's outputs, counting where the loss on hard labels counts.

    Args:
        student: `ModelOutputs`.
        labels: the batch's, or None.
        loss: the loss on hard labels, or a structure of them; what it ignores
            (`ignore_class` of `SparseCategoricalCrossentropy`) is masked.
        others: what `other_keys` gives of the student.

    Returns:
        `ModelOutputs`.
    """
    masks = {
        name: _mask(
            *(part_of(every, name, others) for every in (student.mask, labels, loss))
        )
        for name in student.names
    }
    if not student.names:
        mask = _mask(student.mask, labels, loss)
        return student._replace(positions=() if mask is None else mask)
    if all(mask is None for mask in masks.values()):
        return student
    return student._replace(positions=masks)


def _mask(mask, labels, loss):
    ignored = getattr(loss, "ignore_class", None)
    if ignored is None or labels is None:
        return mask
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) > 1 and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, axis=-1)
    kept = ops.not_equal(labels, ignored)
    return kept if mask is None else ops.logical_and(kept, mask)


def _with_rank(tensor, rank):
    return ops.reshape(tensor, (*ops.shape(tensor), *[1] * (rank - len(tensor.shape))))


def batch_size(outputs):
    """The number of examples, a scalar, of which these are the `ModelOutputs`."""
    return ops.shape(keras.tree.flatten(outputs.logits)[0])[0]


def agreement(teacher, student, readings=None):
    """The fraction of decisions on which two models agree.

    Args:
        teacher: `ModelOutputs` with logits `(batch, ..., num_classes)`; for one unit,
            its sign decides. Of several outputs, the mean of their fractions.
        student: the same; its mask says what counts.
        readings: see `Objective`: "softmax" for the class with the largest logit,
            "sigmoid" for a decision on each label, above and below half a probability;
            outputs that are "linear" decide nothing, and do not count.

    Returns:
        A float32 scalar in [0, 1].

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[2.0, 1.0], [0.0, 3.0]]))
        >>> student = ModelOutputs(ops.array([[1.0, 0.0], [1.0, 0.0]]))
        >>> float(agreement(teacher, student))
        0.5
        >>> float(agreement(teacher, student, {None: "sigmoid"}))
        0.25
    """
    readings = readings or {}
    pairs = [(name, teacher.of(name), student.of(name)) for name in student.names]
    same = [
        _same(t.logits, s.logits, s.mask, readings.get(name))
        for name, t, s in pairs or [(None, teacher, student)]
        if readings.get(name) != "linear"
    ]
    return sum(same) / len(same)


def _same(teacher_logits, student_logits, mask, reading):
    if reading == "sigmoid" or student_logits.shape[-1] == 1:
        same = ops.equal(teacher_logits > 0, student_logits > 0)
        same = ops.mean(ops.cast(same, "float32"), axis=-1)
    else:
        same = ops.equal(
            ops.argmax(teacher_logits, axis=-1), ops.argmax(student_logits, axis=-1)
        )
    return batch_mean(same, mask=mask)

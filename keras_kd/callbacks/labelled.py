"""Labelled data in batches, and the outcomes of two models on it."""

import keras
import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data import Examples
from keras_kd.distiller.batch import unpack
from keras_kd.distiller.hard_loss import is_sparse


def batches(data, batch_size, *, where):
    """Labelled data, batch by batch, from its start each time.

    Args:
        data: as `fit(validation_data=...)` takes it: arrays `(x, y)`, a
            `tf.data.Dataset` or a `keras.utils.PyDataset`.
        batch_size: int, for arrays.
        where: str, see `invalid`.

    Yields:
        Each `Batch`, with its labels.

    Raises:
        ValueError: The data have no labels, no end, or are of another kind.

    Example:
        >>> data = np.zeros((5, 2)), np.arange(5)
        >>> [batch.labels.tolist() for batch in batches(data, 2, where="here")]
        [[0, 1], [2, 3], [4]]
    """
    for batch in map(unpack, _raw_batches(data, batch_size, where)):
        if batch.labels is None:
            raise _unlabelled(where)
        yield batch


def count_outcomes(labels, teacher_logits, student_logits, *, mask, multi_label):
    """How often teacher and student are right, of each class.

    Args:
        labels: array of class numbers `(batch, ...)`, or of one row for each decision.
        teacher_logits: float `(batch, ..., num_classes)`.
        student_logits: the same shape.
        mask: bool `(batch, ...)`, the decisions that count; None for all.
        multi_label: bool, whether each label is a decision of its own.

    Returns:
        Int `(num_classes, 4)`: both right, student alone, teacher alone, none. One unit
        has two classes, no and yes.

    Example:
        >>> logits = np.array([[2.0, 1.0], [0.0, 3.0]])
        >>> counts = count_outcomes(
        ...     [0, 0], logits, logits, mask=None, multi_label=False
        ... )
        >>> counts.tolist()
        [[1, 0, 0, 1], [0, 0, 0, 0]]
    """
    num_classes = student_logits.shape[-1]
    if multi_label and num_classes > 1:
        truth = np.reshape(labels, student_logits.shape) > 0.5
        numbers = np.broadcast_to(np.arange(num_classes), truth.shape)
        right = [(logits > 0) == truth for logits in (teacher_logits, student_logits)]
    else:
        numbers, num_classes = _class_numbers(np.asarray(labels), student_logits)
        right = [_chosen(each) == numbers for each in (teacher_logits, student_logits)]
    teacher_right, student_right = right
    outcomes = 4 * numbers + 2 * ~student_right + ~teacher_right
    if mask is not None:
        missing = [1] * (outcomes.ndim - mask.ndim)
        counts = np.reshape(mask, (*mask.shape, *missing))
        outcomes = outcomes[np.broadcast_to(counts, outcomes.shape)]
    counts = np.bincount(outcomes.ravel(), minlength=4 * num_classes)
    return counts.reshape(num_classes, 4)


def _class_numbers(labels, logits):
    """The true class of each decision, int `(batch, ...)`, and how many there are."""
    if logits.shape[-1] == 1:
        return (labels.reshape(logits.shape[:-1]) > 0.5).astype(int), 2
    if is_sparse(labels.shape, logits.shape):
        return labels.reshape(logits.shape[:-1]).astype(int), logits.shape[-1]
    return labels.argmax(axis=-1), logits.shape[-1]


def _chosen(logits):
    """The class that each decision chooses, int `(batch, ...)`."""
    if logits.shape[-1] == 1:
        return (logits[..., 0] > 0).astype(int)
    return logits.argmax(axis=-1)


def _raw_batches(data, batch_size, where):
    if isinstance(data, tf.data.Dataset):
        if data.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise _endless(where)
        return iter(data)
    if isinstance(data, keras.utils.PyDataset):
        if data.num_batches is None:
            raise _endless(where)
        return (data[number] for number in range(data.num_batches))
    if not isinstance(data, (tuple, list)):
        raise invalid(
            where,
            "`validation_data` as arrays (x, y), a tf.data.Dataset or a "
            "keras.utils.PyDataset",
            type(data).__name__,
            "Pass what `fit` is given as validation_data.",
        )
    if isinstance(data, Examples) or len(data) < 2 or data[1] is None:
        raise _unlabelled(where)
    return _slices(tuple(data[:2]), batch_size)


def _slices(arrays, size):
    number = len(keras.tree.flatten(arrays)[0])
    for start in range(0, number, size):
        yield keras.tree.map_structure(
            lambda leaf, start=start: leaf[start : start + size], arrays
        )


def _unlabelled(where):
    return invalid(
        where,
        "data with labels",
        "data without",
        "Pass (x, y), or a dataset of such batches.",
    )


def _endless(where):
    return invalid(
        where,
        "data that end",
        "a dataset that repeats for ever",
        "Leave out .repeat(), or add .take(number of batches).",
    )

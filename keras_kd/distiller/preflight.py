"""What is checked on models and data before the first training step."""

import itertools
import types

import keras
import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.distiller.hard_loss import is_sparse
from keras_kd.outputs import check_logits, check_weights

WHERE = "Distiller.fit"
PEEKED_EXAMPLES = 8


def check_before_fit(distiller, x, y):
    """Looks at the models, at the first examples, and at all labels in memory.

    Args:
        distiller: the `Distiller`, compiled, with a teacher.
        x: as for `fit`.
        y: as for `fit`.

    Returns:
        `x`, to be used instead of the one given (a generator that was looked at).

    Raises:
        ValueError: They cannot be used; the message says why and how to fix it.
    """
    check_weights(WHERE, distiller.student, "student")
    x, batch = first_batch(x, y)
    if batch is None:
        return x
    inputs, labels = batch
    if labels is None and distiller.alpha != 0:
        raise unlabelled()
    teacher = distiller.teacher
    check_logits(WHERE, teacher(inputs).logits, teacher.head, "teacher")
    logits = distiller.student_outputs(inputs).logits
    check_logits(WHERE, logits, distiller.head, "student")
    if labels is not None and distiller.infers_hard_loss:
        whole = y if isinstance(y, np.ndarray) else labels
        check_labels(whole, logits.shape[-1], distiller.loss.activation)
    return x


def require_teacher(distiller):
    """Raises if a distiller has no teacher, as after loading."""
    if distiller.teacher is None:
        raise invalid(
            WHERE,
            "a teacher",
            "a distiller that was loaded without one",
            "Give it back: distiller.attach_teacher(teacher).",
        )


def unlabelled():
    """The error for data without labels where they are needed."""
    return invalid(
        WHERE,
        "labels, because alpha gives the hard labels a weight",
        "data without labels",
        "Pass alpha=0 to learn from the teacher alone.",
    )


def first_batch(x, y):
    """The first examples of what `fit` was given, without losing them.

    Args:
        x: arrays, `tf.data.Dataset`, `keras.utils.PyDataset` or generator.
        y: arrays or None.

    Returns:
        `(x, batch)`: `x` to be used from now on (a generator is given back whole), and
        `(inputs, labels)`, at most 8 examples; None for data of a kind not known here.

    Raises:
        ValueError: There is no data.
    """
    if isinstance(x, tf.data.Dataset):
        return x, _head(next(iter(x.take(1)), None))
    if isinstance(x, keras.utils.PyDataset):
        return x, _head(x[0] if x.num_batches != 0 else None)
    if isinstance(x, types.GeneratorType):
        first = next(x, None)
        batch = _head(first)
        return (item for item in itertools.chain([first], x)), batch
    leaves = keras.tree.flatten(x)
    if not leaves or not all(hasattr(leaf, "shape") for leaf in leaves):
        return x, None
    return x, _head((x, y) if all(len(leaf) for leaf in leaves) else None)


def check_labels(labels, num_classes, activation):
    """Raises unless labels suit a cross-entropy over `num_classes`.

    Args:
        labels: array of class numbers, or of one row a class.
        num_classes: int.
        activation: "softmax" or "sigmoid", see `HardLabelCrossEntropy`.
    """
    labels = np.asarray(labels)
    if not np.isfinite(labels.astype("float64")).all():
        raise invalid(WHERE, "finite labels", "NaN or inf", "Clean the labels.")
    one_choice = activation == "softmax" and num_classes > 1
    if one_choice and is_sparse(labels.shape, (len(labels), num_classes)):
        _check_class_numbers(labels, num_classes)
    elif labels.size != len(labels) * num_classes:
        raise invalid(
            WHERE,
            f"labels of shape (batch,) or (batch, {num_classes})",
            labels.shape,
            "Encode the labels for the classes of the student's head.",
        )
    else:
        _check_rows(labels, one_choice)


def _head(batch):
    if batch is None:
        raise invalid(WHERE, "data", "an empty dataset", "Pass at least one example.")
    inputs, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)

    def cut(array):
        return array[:PEEKED_EXAMPLES]

    inputs = keras.tree.map_structure(cut, inputs)
    return inputs, None if labels is None else keras.tree.map_structure(cut, labels)


def _check_class_numbers(labels, num_classes):
    low, high = labels.min(), labels.max()
    if low < 0 or high >= num_classes:
        raise invalid(
            WHERE,
            f"labels from 0 to {num_classes - 1} for {num_classes} classes",
            f"label {low if low < 0 else high}",
            "Number the classes from 0, or give the models a larger head.",
        )


def _check_rows(labels, one_choice):
    if labels.min() < 0 or labels.max() > 1:
        raise invalid(
            WHERE,
            "one-hot or multi-hot labels in [0, 1]",
            f"values from {labels.min()} to {labels.max()}",
            "Encode the labels with keras.utils.to_categorical.",
        )
    if one_choice and not np.allclose(labels.sum(axis=-1), 1, atol=1e-3):
        raise invalid(
            WHERE,
            "one-hot labels for a softmax over the classes",
            "rows that do not sum to 1 (multi-hot)",
            'Give both models a head with activation="sigmoid" for multi-hot labels.',
        )

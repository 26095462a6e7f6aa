"""Scoring a .tflite file itself, not the model that it came from."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data import Split
from keras_kd.export.accuracy import accuracy, decide
from keras_kd.export.litert import LiteRtModel
from keras_kd.outputs import check_inputs, find_head

WHERE = "keras_kd.export.verify"


@dataclass(frozen=True)
class Verification:
    """How a .tflite file does on data, and how near it is to its Keras model.

    Attributes:
        examples: int, how many were tried.
        accuracy: float in [0, 1], of the file.
        accuracy_ci95: `(low, high)`, Wilson's 95 % interval.
        keras_accuracy: float in [0, 1], of the Keras model on the same examples.
        keras_agreement: float in [0, 1], how often both choose the same class.
        max_abs_error: float, the largest difference between their outputs.
    """

    examples: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    keras_accuracy: float
    keras_agreement: float
    max_abs_error: float


def verify(tflite_path, model, data):
    """Runs a .tflite file with LiteRT on labelled data, beside its Keras model.

    Args:
        tflite_path: `str` or `Path`.
        model: the `keras.Model` that the file was made from.
        data: `(x, y)` arrays, a `keras_kd.data.Split`, or a batched `tf.data.Dataset`
            of `(x, y)`; labels are class numbers.

    Returns:
        A `Verification`.

    Raises:
        ValueError: The file, or the data's shape, cannot be used.

    Example:
        See `examples/01_digits.py`.
    """
    if not isinstance(model, keras.Model):
        raise invalid(
            WHERE, "a keras.Model", type(model).__name__, "Load it with load_model."
        )
    x, y = _arrays(data)
    check_inputs(WHERE, model, x)
    from_file = LiteRtModel(tflite_path)(x)
    from_keras = np.asarray(model.predict(x, verbose=0), dtype="float32")
    if from_keras.shape != from_file.shape:
        raise invalid(
            WHERE,
            f"the model the file was made from, with outputs {from_file.shape[1:]}",
            f"one with outputs {from_keras.shape[1:]}",
            "Pass the model that was given to convert.",
        )
    activation = find_head(model).activation
    chosen, theirs = decide(from_file, activation), decide(from_keras, activation)
    score = accuracy(chosen, y)
    return Verification(
        examples=score.examples,
        accuracy=score.value,
        accuracy_ci95=score.ci95,
        keras_accuracy=accuracy(theirs, y).value,
        keras_agreement=float(np.mean(chosen == theirs)),
        max_abs_error=float(np.abs(from_file - from_keras).max()),
    )


def _arrays(data):
    """Inputs `(n, ...)` and class numbers `(n,)`."""
    if isinstance(data, Split):
        return data.arrays()
    if isinstance(data, tf.data.Dataset):
        batches = list(data.as_numpy_iterator())
        data = tuple(zip(*batches, strict=True)) if batches else ()
        data = tuple(np.concatenate(part) for part in data if np.ndim(part[0]))
    if not isinstance(data, tuple) or len(data) != 2 or not len(data[0]):
        raise invalid(
            WHERE,
            "data as (x, y) arrays, a Split, or a tf.data.Dataset of (x, y) batches",
            "none, without labels, or not in batches",
            "Pass labelled examples, such as data.test.",
        )
    x, y = map(np.asarray, data)
    if y.ndim == 2 and y.shape[1] > 1 and (y.sum(axis=-1) == 1).all():
        y = y.argmax(axis=-1)
    if len(x) != len(y) or y.size != len(y):
        raise invalid(
            WHERE,
            "one class for each example",
            f"{len(x)} examples and labels of shape {y.shape}",
            "Pass class numbers (n,) or one-hot rows.",
        )
    return x, y.reshape(-1)

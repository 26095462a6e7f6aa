"""Scoring a .tflite file itself, not the model that it came from."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data import Split
from keras_kd.export.accuracy import accuracy, decide
from keras_kd.export.litert import LiteRtModel

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
    x, y = _arrays(data)
    from_file = LiteRtModel(tflite_path)(x)
    from_keras = np.asarray(model.predict(x, verbose=0), dtype="float32")
    if from_keras.shape != from_file.shape:
        raise invalid(
            WHERE,
            f"the model the file was made from, with outputs {from_file.shape[1:]}",
            f"one with outputs {from_keras.shape[1:]}",
            "Pass the model that was given to convert.",
        )
    score = accuracy(decide(from_file), y)
    return Verification(
        examples=score.examples,
        accuracy=score.value,
        accuracy_ci95=score.ci95,
        keras_accuracy=accuracy(decide(from_keras), y).value,
        keras_agreement=float(np.mean(decide(from_file) == decide(from_keras))),
        max_abs_error=float(np.abs(from_file - from_keras).max()),
    )


def _arrays(data):
    if isinstance(data, Split):
        return data.arrays()
    if isinstance(data, tf.data.Dataset):
        batches = list(data.as_numpy_iterator())
        data = tuple(map(np.concatenate, zip(*batches, strict=True))) if batches else ()
    if not isinstance(data, tuple) or len(data) != 2 or not len(data[0]):
        raise invalid(
            WHERE,
            "data as (x, y) arrays, a Split, or a tf.data.Dataset of (x, y) batches",
            "none, or without labels",
            "Pass labelled examples, such as data.test.",
        )
    x, y = map(np.asarray, data)
    y = y.reshape(len(y), -1)
    return x, y[:, 0] if y.shape[1] == 1 else y.argmax(axis=-1)

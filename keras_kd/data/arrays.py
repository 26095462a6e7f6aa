"""Sources that fit in memory: scikit-learn's digits, NumPy files."""

import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits as sklearn_digits
from sklearn.model_selection import train_test_split

from keras_kd._checks import invalid
from keras_kd.data.split import Split

WHERE = "keras_kd.data.load"
TEST_FRACTION = 0.30
VALIDATION_FRACTION = 0.15
MOST_CLASSES = 100_000
_UNREADABLE = (
    OSError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
# Part of the definition of the splits: another number would be another data set.
_SPLIT_SEED = 20150309


def load_digits(place, image_size):
    """The three parts of scikit-learn's digits, and the class names."""
    x, y = sklearn_digits(return_X_y=True)
    images = (x / 16.0).reshape(-1, 8, 8, 1).astype("float32")
    if image_size is not None:
        images = tf.image.resize(images, image_size).numpy()
    return _parts(images, y, "digits"), [str(digit) for digit in range(10)]


def load_npz(place, image_size):
    """The three parts of a NumPy file with `x` and `y`, and the class names."""
    x, y = _read(Path(place).expanduser())
    class_names, labels = np.unique(y, return_inverse=True)
    numbers = np.issubdtype(class_names.dtype, np.integer)
    if numbers and class_names[0] >= 0 and class_names[-1] < MOST_CLASSES:
        # They are kept, so that a class without examples keeps its place.
        labels, class_names = y, range(int(class_names[-1]) + 1)
    if x.dtype == np.uint8:
        x = x / np.float32(255.0)
    x = x.astype("float32")
    if image_size is not None:
        x = _resized(x, image_size)
    return _parts(x, labels, Path(place).stem), [str(name) for name in class_names]


def _resized(x, image_size):
    if x.ndim != 4:
        raise invalid(
            WHERE,
            "images (n, height, width, channels) to resize",
            x.shape,
            "Leave out image_size, or add the axis of channels: x[..., None].",
        )
    return tf.image.resize(x, image_size).numpy()


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = file["x"], file["y"]
    except _UNREADABLE as error:
        raise invalid(
            WHERE,
            "a .npz file with the arrays x and y",
            f'"{path}" ({error})',
            "Make one with numpy.savez(path, x=x, y=y).",
        ) from error
    if len(x) != len(y) or y.ndim != 1 or x.ndim < 2 or not len(x):
        raise invalid(
            WHERE,
            "x of shape (n, ...) and y of shape (n,), n above 0",
            f"{x.shape} and {y.shape}",
            "Give one label for each row of x.",
        )
    if not np.issubdtype(x.dtype, np.number) and x.dtype != bool:
        raise invalid(WHERE, "numbers in x", x.dtype, "Encode text as numbers first.")
    if not np.isfinite(x).all():
        raise invalid(WHERE, "finite x", "NaN or inf", "Fill or drop those rows.")
    return x, y


def _parts(x, y, name):
    ids = np.array([f"{name}-{number:06d}" for number in range(len(x))])
    everything = np.arange(len(x))
    try:
        rest, test = _cut(everything, y, TEST_FRACTION)
        train, validation = _cut(rest, y, VALIDATION_FRACTION / (1 - TEST_FRACTION))
    except ValueError as error:
        raise invalid(
            WHERE,
            "enough examples of each class for three parts",
            f"{len(x)} examples ({error})",
            "Use a larger data set.",
        ) from error
    return {
        part: Split(
            tf.data.Dataset.from_tensor_slices(
                {"id": ids[rows], "x": x[rows], "y": y[rows].astype("int64")}
            ),
            len(rows),
        )
        for part, rows in (("train", train), ("validation", validation), ("test", test))
    }


def _cut(rows, y, fraction):
    first, second = train_test_split(
        rows, test_size=fraction, stratify=y[rows], random_state=_SPLIT_SEED
    )
    return np.sort(first), np.sort(second)

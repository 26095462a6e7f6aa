"""The examples to score a file on, and what the Keras model says to them."""

import keras
import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data import Split
from keras_kd.outputs import find_head, forward

WHERE = "keras_kd.export.verify"
_BATCH = 64


def labelled_arrays(data):
    """Inputs `(n, ...)` and class numbers `(n,)` of what the user gave.

    Args:
        data: see `verify`.

    Raises:
        ValueError: It is something else, empty, not finite, or has no labels.
    """
    if isinstance(data, Split):
        return data.arrays()
    if isinstance(data, tf.data.Dataset):
        batches = list(data.as_numpy_iterator())
        data = tuple(zip(*batches, strict=True)) if batches else ()
        data = tuple(np.concatenate(part) for part in data if np.ndim(part[0]))
    if not isinstance(data, (tuple, list)) or len(data) != 2 or not len(data[0]):
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
    if np.issubdtype(x.dtype, np.floating):
        bad = sum(not np.isfinite(example).all() for example in x)
        if bad:
            raise invalid(
                WHERE,
                "finite inputs",
                f"NaN or inf in {bad} of {len(x)} examples",
                "Leave those examples out.",
            )
    return x, y.reshape(-1)


def class_numbers(labels, units):
    """Labels as int, all of them classes of the model.

    Args:
        labels: array `(n,)`.
        units: int, of the model's output; 1 for yes or no.

    Raises:
        ValueError: One of them is no class number.
    """
    number = max(units, 2)
    try:
        with np.errstate(invalid="ignore"):
            whole = labels.astype("int64")
        wrong = labels[(whole != labels) | (whole < 0) | (whole >= number)]
    except (TypeError, ValueError):
        wrong = labels
    if len(wrong):
        raise invalid(
            WHERE,
            f"labels that are class numbers from 0 to {number - 1}",
            f"{wrong[0]!r}, one of {len(wrong)} others",
            "Pass the labels that the model was trained with.",
        )
    return whole


def keras_outputs(model, inputs, kind):
    """The Keras model's outputs, in the units of its file.

    Args:
        model: a Keras model.
        inputs: `(n, ...)`.
        kind: str, what the file gives, see `Manifest.output_kind`; None for the same.

    Returns:
        `(outputs, kind)`: float32 `(n, units)`, and what they are.

    Raises:
        ValueError: The model's head cannot give that.
    """
    head = find_head(model)
    own = "logits" if head.activation == "linear" else head.activation
    if kind in (None, own):
        return _float32(model.predict(inputs, verbose=0)), own
    if kind == "logits" and head.gives_probabilities:
        starts = range(0, len(inputs), _BATCH)
        batches = (inputs[start : start + _BATCH] for start in starts)
        logits = [forward(model, batch, head=head)[1].logits for batch in batches]
        return np.concatenate([_float32(one) for one in logits]), kind
    if own == "logits" and kind in ("softmax", "sigmoid"):
        link = {"softmax": keras.ops.softmax, "sigmoid": keras.ops.sigmoid}[kind]
        return _float32(link(model.predict(inputs, verbose=0))), kind
    raise invalid(
        WHERE,
        f"the model the file was made from, whose outputs the file gives as {kind}",
        f"one whose outputs are {own}",
        "Pass the model that was given to convert.",
    )


def _float32(tensor):
    return keras.ops.convert_to_numpy(tensor).astype("float32")

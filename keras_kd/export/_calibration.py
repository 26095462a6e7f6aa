"""Examples that show the converter what ranges the activations take."""

import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data import Split

WHERE = "keras_kd.export.convert"
MOST_EXAMPLES = 500


def calibration_examples(calibration_data):
    """The first inputs of whatever the user has.

    Args:
        calibration_data: see `convert`.

    Returns:
        Array `(n, ...)`, n at most 500; None for None.

    Raises:
        ValueError: They are not inputs.
    """
    if calibration_data is None:
        return None
    if isinstance(calibration_data, Split):
        calibration_data = calibration_data.batches(100, labels=False)
    if isinstance(calibration_data, tf.data.Dataset):
        first = calibration_data.unbatch().take(MOST_EXAMPLES).batch(100)
        inputs = [
            batch[0] if isinstance(batch, tuple) else batch
            for batch in first.as_numpy_iterator()
        ]
        calibration_data = np.concatenate(inputs) if inputs else []
    try:
        examples = np.asarray(calibration_data)[:MOST_EXAMPLES]
        numeric = np.issubdtype(examples.dtype, np.number)
    except (ValueError, IndexError):
        numeric = False
    if not numeric:
        raise invalid(
            WHERE,
            "calibration_data as an array of inputs",
            type(calibration_data).__name__,
            "Pass inputs alone, without labels, such as x_train[:500].",
        )
    return examples


def check_examples(examples, shape, *, needed_for=None):
    """Raises unless the examples can be used, or none are given and none are needed.

    Args:
        examples: array `(n, ...)` or None.
        shape: tuple, of one input.
        needed_for: str, the precision that cannot do without; None if there is none.

    Raises:
        ValueError: None given, another shape, NaN or infinity.
    """
    if examples is None and not needed_for:
        return
    if examples is None or not len(examples):
        raise invalid(
            WHERE,
            f"calibration_data for {needed_for}" if needed_for else "calibration_data",
            "none",
            "Pass some hundred inputs, such as data.train.",
        )
    if examples.shape[1:] != shape:
        raise invalid(
            WHERE,
            f"calibration_data of shape (n, {', '.join(map(str, shape))})",
            examples.shape,
            "Pass inputs as they were in training, with a batch axis.",
        )
    if not np.isfinite(examples.astype("float64")).all():
        raise invalid(
            WHERE, "finite calibration_data", "NaN or inf", "Leave those inputs out."
        )

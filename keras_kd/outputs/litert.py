"""A .tflite file opened with LiteRT, and floats for tensors that may be integers."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_kd._checks import invalid


def open_interpreter(where, path, *, threads=1):
    """LiteRT's interpreter of a file, with its tensors allocated.

    Args:
        where: str, see `invalid`.
        path: `str` or `Path`.
        threads: int > 0, for LiteRT's CPU kernels.

    Raises:
        ValueError: It is not a .tflite file that LiteRT can run.
    """
    try:
        # Read here: LiteRT's own message for a missing file does not say so.
        content = Path(path).read_bytes()
        # An empty file would count as none given.
        interpreter = Interpreter(
            model_content=content or b"empty", num_threads=threads
        )
        interpreter.allocate_tensors()
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or ["damaged"])[0]
        raise invalid(
            where,
            "a .tflite file that LiteRT can run",
            f'"{path}" ({reason})',
            "Make one with keras_kd.export.convert.",
        ) from error
    return interpreter


def invoke_anew(interpreter):
    """Runs a file on the inputs that were set, as if they were its first.

    The variable tensors of recurrent files hold what the example before left there.
    """
    interpreter.reset_all_variables()
    interpreter.invoke()


def quantise(values, details):
    """Values as a LiteRT tensor takes them: rounded and clipped for integer ones.

    Args:
        values: array, in the units of the Keras model; of the tensor's own integer
            dtype, what the tensor holds, which is taken as it is.
        details: LiteRT's description of the tensor.

    Returns:
        Array of the tensor's dtype.

    Raises:
        ValueError: Whole numbers are far outside of what the tensor can hold.
    """
    scale, zero_point = details["quantization"]
    if not scale or values.dtype == details["dtype"]:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    if np.issubdtype(values.dtype, np.integer) and values.size:
        _check_reach(values, scale, limits, zero_point)
    whole = np.round(values / scale) + zero_point
    return np.clip(whole, limits.min, limits.max).astype(details["dtype"])


def dequantise(raw, details):
    """What a LiteRT tensor holds, in the units of the Keras model.

    Args:
        raw: array of the tensor's dtype.
        details: LiteRT's description of the tensor.

    Returns:
        Float32 array.
    """
    scale, zero_point = details["quantization"]
    if not scale:
        return raw.astype("float32")
    return (raw.astype("float32") - zero_point) * np.float32(scale)


def _check_reach(values, scale, limits, zero_point):
    """Raises for pixels of 0 to 255 where the file was made for 0 to 1, say."""
    low, high = (scale * (end - zero_point) for end in (limits.min, limits.max))
    # A little more is an outlier of what the ranges were taken from.
    if values.min() < 2 * low - high or values.max() > 2 * high - low:
        raise invalid(
            "a .tflite file",
            f"examples from {low:.3g} to {high:.3g}, for which it was quantised, or "
            f"{limits.dtype} as its tensor holds them",
            f"{values.dtype} from {values.min()} to {values.max()}",
            "Scale them as for the Keras model, such as x / 255.0.",
        )

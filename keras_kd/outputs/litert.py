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


def quantise(values, details):
    """Values as a LiteRT tensor takes them: rounded and clipped for integer ones.

    Args:
        values: array.
        details: LiteRT's description of the tensor.

    Returns:
        Array of the tensor's dtype.
    """
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
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

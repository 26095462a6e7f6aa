"""Golden inputs on their way to a program for microcontrollers."""

import math
import struct
from pathlib import Path

import numpy as np

from keras_kd.benchmark.golden import MAGIC
from keras_kd.benchmark.measurement import DeviceError

_HEADER = struct.Struct("<8s4I")


def check_golden(target, golden, inspection):
    """Raises unless golden inputs are whole, and those of a file.

    Args:
        target: str, for the message.
        golden: `str` or `Path` of what `write_golden` made.
        inspection: the file's `Inspection`.

    Raises:
        DeviceError: They are not.
    """
    try:
        content = Path(golden).read_bytes()
    except OSError as error:
        raise DeviceError(
            f"{target}: the golden inputs {golden} cannot be read: {error.strerror}."
        ) from error
    sizes = [_bytes(one) for one in (inspection.inputs[0], inspection.outputs[0])]
    is_whole = len(content) >= _HEADER.size
    if is_whole:
        magic, count, *found, _ = _HEADER.unpack_from(content)
        is_whole = (magic, found) == (MAGIC, sizes)
        is_whole &= count > 0 and len(content) == _HEADER.size + count * sum(sizes)
    if not is_whole:
        raise DeviceError(
            f"{target}: {golden} holds no whole golden inputs for {inspection.file}. "
            "Write them with keras_kd.benchmark.write_golden."
        )


def _bytes(tensor):
    return math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize

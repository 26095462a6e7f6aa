"""Sizes and times as people write them on the command line."""

import re

from keras_kd._checks import invalid

_BYTES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_BINARY = {"k": 1024, "m": 1024**2, "g": 1024**3}
_MILLISECONDS = {"": 1.0, "ms": 1.0, "us": 1e-3, "s": 1e3}
_NUMBER = r"(\d+\.?\d*|\.\d+)"


def size_bytes(option, text):
    """Bytes of "250000", "250kB" (250,000) or "64KiB" (65,536); None of None.

    Args:
        option: str, the option's name, for the message.
        text: str or None.

    Raises:
        ValueError: It is no size above 0.
    """
    if text is None:
        return None
    match = re.fullmatch(rf"{_NUMBER} ?([kmg]?)(i?)b?", text.strip().lower())
    if match and not (match[3] and not match[2]):
        units = _BINARY if match[3] else _BYTES
        size = int(float(match[1]) * units[match[2]])
        if size:
            return size
    raise invalid(
        "keras-kd",
        f"{option} as 250000, 250kB or 256KiB",
        f'"{text}"',
        "Give a size; kB is 1000 bytes, KiB 1024.",
    )


def count(option, text):
    """A number of things of "300000", "300k" or "1.5M"; None of None."""
    if text is None:
        return None
    match = re.fullmatch(rf"{_NUMBER} ?([kmg]?)", text.strip().lower())
    number = int(float(match[1]) * _BYTES[match[2]]) if match else 0
    if number:
        return number
    raise invalid(
        "keras-kd", f"{option} as 300000, 300k or 1.5M", f'"{text}"', "Give a number."
    )


def milliseconds(option, text):
    """Milliseconds of "20", "20ms", "500us" or "0.5s"; None of None."""
    if text is None:
        return None
    match = re.fullmatch(rf"{_NUMBER} ?(ms|us|s|)", text.strip().lower())
    time = float(match[1]) * _MILLISECONDS[match[2]] if match else 0.0
    if time:
        return time
    raise invalid(
        "keras-kd", f"{option} as 20ms, 500us or 0.5s", f'"{text}"', "Give a time."
    )

"""What was measured before, one JSON file for each student."""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, is_dataclass
from pathlib import Path

import keras
import numpy as np

from keras_kd._checks import invalid, is_number
from keras_kd._files import check_writable, write_json
from keras_kd._keras_internals import all_layers
from keras_kd.budget.limits import WHERE

_COUNTS = ("params", "size_bytes", "macs", "arena_bytes")


class Records:
    """Costs by the key of what they depend on.

    Args:
        folder: `Path` of a folder, or None to keep nothing.
    """

    def __init__(self, folder):
        self._folder = folder

    def read(self, key):
        """The dict of costs that was written, or None if there is none to be used."""
        if self._folder is None:
            return None
        try:
            costs = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # none, or damaged
            return None
        return costs if _is_usable(costs) else None

    def write(self, key, costs):
        """Keeps a dict of costs."""
        if self._folder is not None:
            write_json(self._path(key), costs)

    def _path(self, key):
        return self._folder / f"{key}.json"


def _is_usable(costs):
    if not isinstance(costs, dict) or costs.keys() != {*_COUNTS, "latencies_ms"}:
        return False
    times_ms = costs["latencies_ms"]
    return (
        all(type(costs[name]) is int and costs[name] >= 0 for name in _COUNTS)
        and isinstance(times_ms, list)
        and all(is_number(time_ms) and time_ms > 0 for time_ms in times_ms)
    )


def records_in(cache):
    """The `Records` in a folder, which is made.

    Args:
        cache: None for the folder in Keras's own, False for none, or a path.

    Raises:
        ValueError: It cannot be written to.
    """
    if cache is False:
        return Records(None)
    if cache is not None and not isinstance(cache, str | os.PathLike):
        raise invalid(
            WHERE, "`cache` to be a folder", repr(cache), "Pass a path, or False."
        )
    folder = _default_folder() if cache is None else Path(cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise invalid(
            WHERE,
            "a folder for `cache` that can be made",
            f'"{folder}" ({error.strerror})',
            "Choose another folder, or pass cache=False.",
        ) from error
    check_writable(WHERE, folder / "one.json")
    return Records(folder)


def _default_folder():
    """In the folder of Keras, which it does not tell."""
    home = os.environ.get("KERAS_HOME")
    if home is None:
        user = Path.home()
        home = user if os.access(user, os.W_OK) else Path(tempfile.gettempdir())
        home /= ".keras"
    return Path(home).expanduser() / "keras_kd" / "budget"


def digest(value):
    """A str that is the same for the same value, in every process.

    Args:
        value: of what JSON holds, arrays and dataclasses.
    """
    text = json.dumps(value, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value):
    if is_dataclass(value):
        return asdict(value)
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value).tobytes()
        return [value.dtype.str, value.shape, hashlib.sha256(content).hexdigest()]
    return repr(value)


def model_digest(model):
    """The digest of a model's layers, and of the constants that a student takes over.

    Names count: they are in the file, which grows with them.
    """
    statistics = [
        keras.ops.convert_to_numpy(weight)
        for layer in all_layers(model)
        if isinstance(layer, keras.layers.Normalization)
        for weight in layer.weights
    ]
    config = keras.saving.serialize_keras_object(model)["config"]
    return digest([type(model).__name__, config, statistics])

"""What a run of a .tflite file on a device gave, and the line that carries it."""

import dataclasses
import json
from dataclasses import dataclass, field

import numpy as np

from keras_kd._checks import DeviceError

SCHEMA = 1


@dataclass(frozen=True)
class OperationTime:
    """How long one operation of the file takes.

    Attributes:
        name: str, the TFLite operation.
        ms: float, milliseconds a run.
    """

    name: str
    ms: float


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a .tflite file needs on a device, for one example at a time.

    Attributes:
        target: str, as given to `measure`.
        measured_on: str, the class of device, such as "host CPU, x86-64"; another class
            has other numbers.
        machine: str, the device in words.
        runtime: str, what ran the file, with its version.
        accelerator: str, such as "CPU".
        is_emulated: bool; then times are None: an emulator's are not the device's.
        threads: int.
        runs: int, how many were timed.
        warmup: int, runs before them.
        init_ms: float or None, milliseconds to load the file and plan its tensors.
        min_ms: float or None, the fastest run.
        p50_ms: float or None, the median.
        p90_ms: float or None, the 90th percentile.
        p99_ms: float or None, the 99th percentile.
        peak_memory_bytes: int or None, the most that the program had in memory.
        arena_bytes: int or None, what TensorFlow Lite Micro took of its arena, or plain
            C has in RAM.
        flash_bytes: int or None, of a microcontroller, for the file and its code.
        instructions: int or None, of one run, counted by an emulator.
        operations: tuple of `OperationTime`, in order; empty if not profiled.
        governor: str or None, of the processor's frequency ("performance" is steady).
        load: float or None, programs that waited for the processor, in the last minute.
        outputs: None, or array `(examples, ...)` in the file's own dtype: what the
            device answered to the golden inputs.
        warnings: tuple of str, what makes the times doubtful.
    """

    target: str
    measured_on: str
    machine: str
    runtime: str
    accelerator: str = "CPU"
    is_emulated: bool = False
    threads: int = 1
    runs: int = 0
    warmup: int = 0
    init_ms: float | None = None
    min_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    peak_memory_bytes: int | None = None
    arena_bytes: int | None = None
    flash_bytes: int | None = None
    instructions: int | None = None
    operations: tuple[OperationTime, ...] = ()
    governor: str | None = None
    load: float | None = None
    # Too long to read in the repr.
    outputs: np.ndarray | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()


def read_line(line, *, target, measured_on, outputs=None):
    """The `Measurement` in the JSON line of a program in `export/`.

    Args:
        line: str, what the program printed.
        target: str, as given to `measure`.
        measured_on: str, the class of device.
        outputs: array or None, what it answered.

    Returns:
        A `Measurement`.

    Raises:
        DeviceError: It is not such a line.
    """
    try:
        values = json.loads(line)
        schema = values["schema"]
        if schema == SCHEMA:
            return _measurement(values, target, measured_on, outputs)
    except (TypeError, KeyError, ValueError) as error:
        raise DeviceError(
            f"{target}: expected one line of JSON of schema {SCHEMA}, got "
            f"{str(line)[:200]!r}. Is the program of this version?"
        ) from error
    raise DeviceError(
        f"{target}: expected schema {SCHEMA}, got {schema!r}. Use the program of "
        "this version of keras_kd."
    )


def _measurement(values, target, measured_on, outputs):
    known = {field.name for field in dataclasses.fields(Measurement)}
    given = {key: value for key, value in values.items() if key in known}
    given["operations"] = tuple(
        OperationTime(**one) for one in given.get("operations") or ()
    )
    given["warnings"] = tuple(given.get("warnings") or ())
    given |= {"target": target, "measured_on": measured_on, "outputs": outputs}
    return Measurement(**given)

"""Running a .tflite file on a device, and timing it there."""

import contextlib
import dataclasses
import tempfile
from pathlib import Path

from keras_kd._checks import invalid
from keras_kd.benchmark.golden import write_golden
from keras_kd.benchmark.noise import doubts
from keras_kd.benchmark.request import Request
from keras_kd.benchmark.targets import target_module
from keras_kd.outputs.litert import open_interpreter

WHERE = "keras_kd.benchmark.measure"


def measure(
    path,
    *,
    target="host",
    threads=1,
    runs=200,
    warmup=20,
    examples=None,
    profile=False,
):
    """Runs a .tflite file where it will live, one example at a time.

    Args:
        path: `str` or `Path` of the file.
        target: str, the class of device:

            - "host": this machine, LiteRT's Python interface;
            - "linux": this machine, the C program of `export/linux`;
            - "ssh:user@board": that program on another Linux machine;
            - "android" or "android:SERIAL": a phone, by `adb`;
            - "browser": Chromium on this machine, LiteRT.js;
            - "microcontroller": TensorFlow Lite Micro on this machine: what it answers
              and the memory it needs, no times; "microcontroller:65536" limits the
              arena;
            - "aarch64" and "cortex-m4": emulated, for the answers only.
        threads: int > 0.
        runs: int > 0, timed runs.
        warmup: int ≥ 0, runs before them that do not count.
        examples: None, or array `(n, ...)` as the Keras model takes them, which the
            device is to answer; see `Measurement.outputs`.
        profile: bool, whether to time each operation too, where the target can.

    Returns:
        A `Measurement`; its `warnings` say what makes the times doubtful.

    Raises:
        ValueError: The file or an argument cannot be used.
        DeviceError: The device is not there, or did not do it.

    Example:
        See `examples/01_digits.py`; `measure("student.tflite", target="browser")`.
    """
    numbers = {"threads": threads, "runs": runs, "warmup": warmup}
    module = check_request(path, target, **numbers)
    with requested(path, target, examples, profile=profile, **numbers) as request:
        return with_doubts(module.run(request), request)


def check_request(path, target, *, threads, runs, warmup):
    """The module of the target, if the file and the numbers can be used.

    Args:
        path: see `measure`.
        target: see `measure`.
        threads: see `measure`.
        runs: see `measure`.
        warmup: see `measure`.

    Raises:
        ValueError: They cannot.
    """
    module = target_module(target)
    for name, value, least in (
        ("threads", threads, 1),
        ("runs", runs, 1),
        ("warmup", warmup, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise invalid(
                WHERE,
                f"`{name}` to be an int of at least {least}",
                repr(value),
                f"Choose another `{name}`.",
            )
    interpreter = open_interpreter(WHERE, path)
    for kind, tensors in (
        ("input", interpreter.get_input_details()),
        ("output", interpreter.get_output_details()),
    ):
        if len(tensors) != 1:
            raise invalid(
                WHERE,
                f"a .tflite file with one {kind}",
                f"{len(tensors)} in {path}",
                "Export a model with one input and one output.",
            )
    return module


@contextlib.contextmanager
def requested(path, target, examples, **options):
    """The `Request` to a target; its golden file is there as long as it is open.

    Args:
        path: see `measure`.
        target: see `measure`.
        examples: see `measure`.
        **options: the other fields of the `Request`.

    Yields:
        A `Request`.
    """
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as folder:
        golden = None
        if examples is not None:
            golden = Path(folder, "golden")
            write_golden(golden, path, examples)
        yield Request(Path(path), target, golden=golden, **options)


def with_doubts(measurement, request):
    """A measurement with what makes its times doubtful among its warnings.

    Args:
        measurement: a `Measurement`.
        request: the `Request` that it answers.
    """
    warnings = measurement.warnings + doubts(measurement)
    if request.profile and not measurement.operations:
        warnings += (
            'the operations were not timed, which this target cannot do; "linux" can',
        )
    return dataclasses.replace(measurement, warnings=warnings)

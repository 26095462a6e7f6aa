"""Timing a .tflite file on an Android device, through `adb`."""

import dataclasses

from keras_kd._checks import invalid
from keras_kd.benchmark._android_adb import Folder, connect
from keras_kd.benchmark._android_device import describe, without_times
from keras_kd.benchmark._android_program import find_program, run_program
from keras_kd.benchmark._android_run import ToolRun
from keras_kd.benchmark._android_tool import find_tool
from keras_kd.benchmark.measurement import DeviceError

WHERE = "keras_kd.benchmark.android"


def run(request, *, benchmark_model=None):
    """Runs a file on an Android device's CPU.

    With the program of `export/android` built, that one times it and answers the golden
    inputs; else LiteRT's `benchmark_model` times it, which gives no outputs. Nothing of
    the device is changed but a folder in /data/local/tmp, which is removed.

    Args:
        request: `Request`, with the target "android" or "android:SERIAL".
        benchmark_model: `str` or `Path` of LiteRT's tool for the device, or None: the
            one that KERAS_KD_BENCHMARK_MODEL names, else the official one, downloaded
            on first use.

    Returns:
        A `Measurement`. `benchmark_model` gives no p90 and p99.

    Raises:
        ValueError: It is no .tflite file, or no program was given.
        DeviceError: No device, more than one, unplugged, too slow, another processor
            than the program's, no room, or the file does not run there.

    Example:
        `run(Request(Path("student.tflite"), "android"))`
    """
    return _measure(request, benchmark_model, only_cpu=True)[0]


def run_variants(request, *, benchmark_model=None):
    """Runs a file on an Android device's CPU, and on all else that the tool offers.

    Args:
        request: see `run`.
        benchmark_model: see `run`.

    Returns:
        A list of `Measurement`: the CPU's, then those of GPU, NPU and NNAPI that run
        the whole file. Why another did not is among the warnings of the CPU's.

    Raises:
        ValueError: See `run`.
        DeviceError: See `run`; only the CPU must succeed.

    Example:
        `run_variants(Request(Path("student.tflite"), "android:0A1B2C3D"))`
    """
    return _measure(request, benchmark_model, only_cpu=False)


def _measure(request, given, *, only_cpu):
    _check_tflite(request.path)
    device = connect(request.target, request.place)
    about = describe(device)
    program = find_program(request.target, about.abis)
    tool, notes = None, []
    try:
        if not (program and only_cpu):
            tool = find_tool(request.target, about.abis, given)
    except DeviceError as error:
        if not program:
            raise
        notes.append(f"only the CPU was measured: {error}")
    with Folder(device) as folder:
        device.push(request.path, f"{folder.path}/student.tflite")
        run = ToolRun(request, device, about, folder, tool) if tool else None
        first = (
            run_program(request, device, about, folder, program)
            if program
            else run.measure("CPU")
        )
        others, failed = run.accelerated() if run and not only_cpu else ([], [])
    notes += failed + [folder.left] * bool(folder.left)
    first = dataclasses.replace(first, warnings=(*first.warnings, *notes))
    return [
        without_times(one) if about.is_emulated else one for one in (first, *others)
    ]


def _check_tflite(path):
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except OSError as error:
        raise invalid(
            WHERE, "a .tflite file", f'"{path}" ({error.strerror})', "Correct the path."
        ) from error
    if head[4:] != b"TFL3":
        raise invalid(
            WHERE,
            "a .tflite file",
            f'"{path}", which is another kind of file or damaged',
            "Make one with keras_kd.export.convert.",
        )

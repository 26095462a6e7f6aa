"""A .tflite file in TensorFlow Lite Micro itself, with its reference kernels.

What it answers and how much of the arena it takes is what it does on a microcontroller;
how long it takes here is not, so that no times are given.
"""

import importlib.metadata
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from keras_kd._checks import not_installed
from keras_kd.benchmark._micro_flash import flash_bytes
from keras_kd.benchmark._micro_golden import check_golden
from keras_kd.benchmark.golden import read_outputs
from keras_kd.benchmark.measurement import DeviceError, Measurement
from keras_kd.export import inspect
from keras_kd.export._targets import refused_by_micro

TARGET = "microcontroller"
_PROGRAM = Path(__file__).with_name("_micro_program.py")
# For a model that was never met: more than any board has.
_PLENTY = 64_000_000
_LONGEST_S = 600


def run(request):
    """Runs a file in TensorFlow Lite Micro.

    Args:
        request: a `Request`; what follows the colon of its target is the size of the
            arena in bytes, else it is large enough.

    Returns:
        A `Measurement` without times, whose `arena_bytes` is what the recorder of
        TensorFlow Lite Micro reports; its pointers have 64 bits here, so that a
        microcontroller takes less. Its `flash_bytes` is an estimate.

    Raises:
        DeviceError: The arena is too small, or an operation is missing.
        ValueError: The file is damaged.
    """
    version = _version()
    inspection = inspect(request.path)
    for problem in refused_by_micro(inspection):
        raise DeviceError(f"{TARGET}: {request.path.name}, {problem}")
    arena = _arena(request.place)
    total, outputs = _run(request, inspection, arena)
    return Measurement(
        target=request.target,
        measured_on="TensorFlow Lite Micro, reference kernels, on a PC",
        machine=f"{platform.machine()}, {platform.system()}",
        runtime=f"tflite-micro {version}",
        is_emulated=True,
        arena_bytes=total,
        flash_bytes=flash_bytes(inspection),
        outputs=outputs,
    )


def _version():
    try:
        return importlib.metadata.version("tflite-micro")
    except importlib.metadata.PackageNotFoundError as error:
        library = "the Python package tflite-micro (it is for Linux on x86-64 only)"
        raise not_installed(TARGET, library, TARGET, kind=DeviceError) from error


def _arena(place):
    if not place:
        return _PLENTY
    if not re.fullmatch(r"[1-9]\d{0,8}", place):
        raise DeviceError(
            f'{TARGET}: expected the bytes of an arena, got "{place}". Say '
            f'"{TARGET}:65536".'
        )
    return int(place)


def _run(request, inspection, arena):
    """The bytes taken of the arena, and the answers to the golden inputs or None."""
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as name:
        files = []
        if request.golden is not None:
            check_golden(TARGET, request.golden, inspection)
            files = [request.golden, Path(name, "outputs")]
        # -P: no module of this package beside the program stands for another.
        command = [
            sys.executable,
            "-P",
            _PROGRAM,
            str(request.path),
            str(arena),
            *files,
        ]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST_S,
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"{TARGET}: {request.path.name} did not end in {_LONGEST_S} s."
            ) from error
        total = re.search(r"Arena allocation total (\d+) bytes", done.stderr)
        if done.returncode or not total:
            raise DeviceError(_reason(request.path, inspection, arena, done))
        outputs = read_outputs(files[1], request.path) if files else None
        return int(total[1]), outputs


def _reason(path, inspection, arena, done):
    """Why TensorFlow Lite Micro did not run the file, in a line."""
    if "failed to allocate tensors" in done.stderr and (
        arena < inspection.micro_arena_bytes
    ):
        return (
            f"{TARGET}: {path.name} does not fit an arena of {arena:,} bytes, it takes "
            f"up to {inspection.micro_arena_bytes:,}. Give it more, or take a smaller "
            "student."
        )
    if done.returncode < 0:
        return (
            f"{TARGET}: TensorFlow Lite Micro crashed on {path.name} with signal "
            f"{-done.returncode}. A quantised student that was never trained causes "
            "this: train it, and convert it again."
        )
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else "no message"
    return f"{TARGET}: TensorFlow Lite Micro refuses {path.name}: {last[:200]}"

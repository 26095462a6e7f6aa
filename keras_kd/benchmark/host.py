"""The machine that runs this program, as a target: LiteRT's Python interface."""

import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from keras_kd.benchmark import _host_program
from keras_kd.benchmark.golden import read_outputs
from keras_kd.benchmark.measurement import DeviceError, read_line

describe_machine = _host_program.describe_machine
_ARCHITECTURES = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "ARM64"}


def run(request):
    """Runs a .tflite file here.

    Args:
        request: a `Request`.

    Returns:
        A `Measurement`, without operations: LiteRT's Python interface times none.

    Raises:
        DeviceError: LiteRT refused the file, or crashed on it.
    """
    machine = platform.machine()
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as folder:
        outputs = Path(folder, "outputs")
        numbers = ("threads", "runs", "warmup")
        options = [f"--{name}={getattr(request, name)}" for name in numbers]
        if request.golden is not None:
            options += [f"--golden={request.golden}", f"--outputs={outputs}"]
        line = _printed_line(request, options)
        return read_line(
            line,
            target=request.target,
            measured_on=f"host CPU, {_ARCHITECTURES.get(machine, machine)}",
            outputs=read_outputs(outputs, request.path) if request.golden else None,
        )


def _printed_line(request, options):
    # -P: the folder of the program holds no modules for it to import.
    command = [sys.executable, "-P", _host_program.__file__, request.path, *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"code {ended.returncode}"]
        raise DeviceError(
            f"{request.target}: LiteRT could not run {request.path.name}: {said[-1]}"
        )
    return ended.stdout

"""The C program on LiteRT's C interface, on the machine that runs this."""

import platform
import tempfile
from pathlib import Path

from keras_kd.benchmark._linux_build import MACHINES, built_program
from keras_kd.benchmark._linux_run import options_of, printed_line
from keras_kd.benchmark.golden import read_outputs
from keras_kd.benchmark.measurement import read_line


def run(request):
    """Runs a file with the program in export/linux, which is built on first use.

    Args:
        request: a `Request`.

    Returns:
        A `Measurement`.

    Raises:
        DeviceError: It cannot be built here, or LiteRT refused the file.
        ValueError: The file is damaged.
    """
    machine = platform.machine()
    program = built_program(request.target, machine)
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as name:
        outputs = Path(name, "outputs")
        options = options_of(request, golden=request.golden, outputs=outputs)
        line = printed_line(request.target, [program, request.path, *options])
        return read_line(
            line,
            target=request.target,
            measured_on=f"host CPU, C program, {MACHINES[machine]}",
            outputs=read_outputs(outputs, request.path) if request.golden else None,
        )

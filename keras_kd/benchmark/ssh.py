"""The C program on a board that can be reached with ssh, such as a Raspberry Pi."""

import tempfile
from pathlib import Path

from keras_kd.benchmark._linux_build import MACHINES, PROGRAM, built_program
from keras_kd.benchmark._linux_library import LIBRARY
from keras_kd.benchmark._linux_run import options_of
from keras_kd.benchmark._linux_ssh import Board
from keras_kd.benchmark.golden import read_outputs
from keras_kd.benchmark.measurement import read_line


def run(request):
    """Copies a file and the program in export/linux to a board, and runs it there.

    All lies in a temporary folder of the board, which is removed at the end, after a
    failure and a keyboard interrupt too.

    Args:
        request: a `Request`, whose target is "ssh:user@board", or "ssh:user@board:2222"
            for another port. `ssh user@board` works without asking for a password.

    Returns:
        A `Measurement`.

    Raises:
        DeviceError: The board cannot be reached or was lost, its processor or system
            cannot run the program, or LiteRT refused the file.
        ValueError: The target cannot be read, or the file is damaged.
    """
    board = Board(request.target, request.place)
    machine = board.machine()
    program = built_program(request.target, machine)
    files = {PROGRAM: program, LIBRARY: program.with_name(LIBRARY)}
    files["student.tflite"] = request.path
    if request.golden is not None:
        files["golden"] = request.golden
    with (
        tempfile.TemporaryDirectory(prefix="keras-kd-") as name,
        board.folder() as there,
    ):
        there.send(files, Path(name))
        options = options_of(request, golden="golden", outputs="outputs")
        line = there.run([f"./{PROGRAM}", "student.tflite", *options])
        outputs = Path(name, "outputs")
        if request.golden is not None:
            there.fetch("outputs", outputs)
        return read_line(
            line,
            target=request.target,
            measured_on=f"board CPU, {MACHINES[machine]}",
            outputs=read_outputs(outputs, request.path) if request.golden else None,
        )

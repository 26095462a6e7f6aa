"""`keras-kd` in this process, which has imported TensorFlow, and as a program."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

from keras_kd.cli import main
from keras_kd.cli._console import console, errors

COMMAND = Path(sys.executable).parent / "keras-kd"
WIDTH = 80


def run(*arguments, code=0, cwd="."):
    """What a command prints: to stdout, or to stderr if it is to fail with 2.

    Args:
        arguments: words of the command line, made strings.
        code: int, the exit code that it must end with.
        cwd: the folder to run it in.
    """
    stdout, stderr = outcome(*arguments, code=code, cwd=cwd)
    return stderr if code == 2 else stdout


def outcome(*arguments, code=0, cwd="."):
    """`(stdout, stderr)` of a command, as `run`."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        _as_a_program(arguments),
    ):
        ended_with = _exit_code()
    assert ended_with == code, stdout.getvalue() + stderr.getvalue()
    return stdout.getvalue(), stderr.getvalue()


def start(*arguments, **options):
    """A `subprocess.Popen` of the program itself, with text pipes."""
    return subprocess.Popen(
        [COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": str(WIDTH)},
        # A shell lets programs in its background ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


@contextlib.contextmanager
def _as_a_program(arguments):
    """The state of the process that `main` reads, and what it would not put back."""
    before = signal.getsignal(signal.SIGTERM)
    widths = console.width, errors.width
    console.width = errors.width = WIDTH
    try:
        with (
            mock.patch("sys.argv", ["keras-kd", *map(str, arguments)]),
            mock.patch("keras_kd.cli.app.silence_native_logs"),
        ):
            yield
    finally:
        console.width, errors.width = widths
        signal.signal(signal.SIGTERM, before)


def _exit_code():
    try:
        main()
    except SystemExit as ended:
        return ended.code or 0
    return 0

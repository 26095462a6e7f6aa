"""The commands, and what happens to their errors."""

import signal
import sys

import typer

from keras_kd._checks import ConversionError, DeviceError, InvalidInputError
from keras_kd.cli import (
    benchmark,
    check,
    demo,
    distill,
    explain,
    export,
    inspect,
    label,
    programs,
    report,
    shrink,
    verify,
)
from keras_kd.cli._console import fail, silence_native_logs

app = typer.Typer(
    help="Distil large Keras models into small ones, and ship them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Add --debug to any command to see tracebacks and native logs.",
)
for module in (
    demo,
    shrink,
    check,
    label,
    distill,
    export,
    inspect,
    verify,
    benchmark,
    programs,
    explain,
    report,
):
    app.command()(module.command)


def main():
    """Runs `keras-kd`; exit code 2 and one line for input that cannot be used."""
    # A scheduler's polite stop is treated like the user's Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    if debug:
        app(arguments)
        return
    silence_native_logs()
    try:
        app(arguments)
    except (ConversionError, DeviceError, InvalidInputError, OSError) as error:
        fail(error)

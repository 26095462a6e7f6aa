"""`keras-kd check`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli._deployability import check_or_stop, describe
from keras_kd.cli._files import load_model


def command(
    model: Annotated[Path, typer.Argument(help="The student, a .keras file.")],
    target: Annotated[
        str, typer.Option(help="mobile, browser or microcontroller.")
    ] = "mobile",
    ram: Annotated[
        str | None,
        typer.Option(help="What a microcontroller has for its arena, as 64KiB."),
    ] = None,
):
    """Say what of a student will not run where it is meant to; exit code 1 if any."""
    student = load_model(model)
    describe(student, check_or_stop(student, target, ram))


command.__name__ = "check"

"""`keras-kd programs`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli._console import console


def command(
    out: Annotated[Path, typer.Option(help="A folder that is new or empty.")] = Path(
        "programs"
    ),
):
    """Write the programs for devices: page, app, C for boards, each with a README."""
    from keras_kd.benchmark import write_programs

    folder = write_programs(out)
    console.print(
        f"Written to {folder}/, begin with README.md there. With KERAS_KD_EXPORT="
        f"{folder.absolute()} in the environment, `keras-kd benchmark` takes them.",
        soft_wrap=True,
        markup=False,
    )


command.__name__ = "programs"

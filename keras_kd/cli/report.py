"""`keras-kd report`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli._console import console
from keras_kd.cli._files import image_size as parse_image_size


def command(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_DIR", help="Folders of keras-kd demo or distill."),
    ],
    data: Annotated[
        str | None,
        typer.Option(help="Show what the models do on the test part of this data."),
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="The teacher's .keras file, for runs without theirs."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the maps.")] = 0,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("report.html"),
):
    """Write one HTML page that tells what came of runs, or compares them."""
    from keras_kd.report import write_report

    size = parse_image_size(image_size)
    dataset = data
    if data is not None and size is not None:
        from keras_kd.data import load

        dataset = load(data, image_size=size)
    path = write_report(run_dirs, out, data=dataset, teacher=teacher, seed=seed)
    console.print(f"Open {path} in a browser.", soft_wrap=True, markup=False)


command.__name__ = "report"

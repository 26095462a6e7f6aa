"""`keras-kd explain`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli._console import console, new_table
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model, output_folder


def command(
    teacher: Annotated[Path, typer.Option(help="The teacher, a .keras file.")],
    student: Annotated[Path, typer.Option(help="The distilled student.")],
    scratch: Annotated[
        Path | None,
        typer.Option(help="The same student trained without the teacher, to compare."),
    ] = None,
    data: Annotated[str, typer.Option(help="Data to look at: its test part.")] = (
        "digits"
    ),
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="grad_cam++, score_cam or saliency.")
    ] = "grad_cam++",
    temperature: Annotated[float, typer.Option(help="Of the soft targets.")] = 4.0,
    images: Annotated[
        int, typer.Option(min=1, help="How many images' maps are compared.")
    ] = 48,
    seed: Annotated[int, typer.Option(help="Of the maps.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the pictures and numbers.")] = (
        Path("runs/explain")
    ),
):
    """Show where teacher and student look, and what the soft targets say."""
    from keras_kd._checks import check_positive
    from keras_kd.cli._explained import Explained
    from keras_kd.data import load

    check_positive("keras-kd explain", "temperature", temperature)
    paths = {"teacher": teacher, "student": student, "scratch": scratch}
    models = {role: load_model(path) for role, path in paths.items() if path}
    dataset = load(data, image_size=parse_image_size(image_size))
    folder = output_folder(out)
    found = Explained(models, dataset, temperature=temperature, seed=seed)
    found.compare_maps(method, images)
    found.write(folder)
    table = new_table("Teacher and student", "measure", "value")
    for name, value in found.lines():
        table.add_row(name, value)
    console.print(table)
    console.print(
        f"The pictures are in {folder}, the numbers in explain.json there.",
        soft_wrap=True,
        markup=False,
    )


command.__name__ = "explain"

"""`keras-kd export`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import check_choice, invalid
from keras_kd.cli._console import console, new_table, progress
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model, output_folder


def command(
    model: Annotated[Path, typer.Argument(help="The student, a .keras file.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("."),
    precision: Annotated[
        str, typer.Option(help="One or more, with commas between them.")
    ] = "float32,float16,dynamic_int8,int8",
    data: Annotated[
        str | None,
        typer.Option(help="Data to calibrate int8 on, and to take class names from."),
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
):
    """Write a Keras model as .tflite files, each with a .json manifest."""
    from keras_kd.data import load
    from keras_kd.export import PRECISIONS, convert

    precisions = [name.strip() for name in precision.split(",")]
    for name in precisions:
        check_choice("keras-kd export", "precision", name, PRECISIONS)
    keras_model = load_model(model)
    if data is None and "int8" in precisions:
        raise invalid(
            "keras-kd export", "--data for int8", "none", "Name the training data."
        )
    dataset = data and load(data, image_size=parse_image_size(image_size))
    folder = output_folder(out)
    rows = new_table(f"Written to {folder}/", "file", "bytes", "input", "output")
    with progress() as bar:
        task = bar.add_task("Converting", total=len(precisions), note="")
        for name in precisions:
            bar.update(task, note=name)
            path = folder / f"{model.stem}-{name}.tflite"
            manifest = convert(
                keras_model,
                path,
                precision=name,
                calibration_data=dataset and dataset.train,
                labels=dataset and dataset.class_names,
            )
            rows.add_row(
                path.name,
                f"{manifest.size_bytes:,}",
                manifest.input.dtype,
                manifest.output.dtype,
            )
            bar.update(task, advance=1, note="")
    console.print(rows)


command.__name__ = "export"

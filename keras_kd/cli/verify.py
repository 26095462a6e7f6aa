"""`keras-kd verify`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli._console import console, new_table
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model


def command(
    tflite: Annotated[Path, typer.Argument(help="The .tflite file.")],
    model: Annotated[Path, typer.Option(help="The .keras file that it was made from.")],
    data: Annotated[str, typer.Option(help="Data to score on: its test part.")] = (
        "digits"
    ),
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
):
    """Score a .tflite file itself, beside its Keras model."""
    from keras_kd.data import load
    from keras_kd.export import verify

    dataset = load(data, image_size=parse_image_size(image_size))
    result = verify(tflite, load_model(model), dataset.test)
    low, high = result.accuracy_ci95
    rows = new_table(f"{tflite.name} on the test part of {data}", "measure", "value")
    for name, value in (
        ("examples", f"{result.examples}"),
        ("accuracy of the file", f"{result.accuracy:.2%}"),
        ("its 95 % interval", f"{low:.2%} to {high:.2%}"),
        ("accuracy of the Keras model", f"{result.keras_accuracy:.2%}"),
        ("same class as the Keras model", f"{result.keras_agreement:.2%}"),
        ("largest difference of an output", f"{result.max_abs_error:.4g}"),
    ):
        rows.add_row(name, value)
    console.print(rows)


command.__name__ = "verify"

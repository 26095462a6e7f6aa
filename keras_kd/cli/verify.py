"""`keras-kd verify`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from keras_kd.cli._console import console
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
    rows = Table(show_header=False)
    rows.add_row("Examples", str(result.examples))
    rows.add_row(
        "Accuracy of the file",
        f"{result.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%})",
    )
    rows.add_row("Accuracy of the Keras model", f"{result.keras_accuracy:.2%}")
    rows.add_row("Same class as the Keras model", f"{result.keras_agreement:.2%}")
    rows.add_row("Largest difference of an output", f"{result.max_abs_error:.4g}")
    console.print(rows)


command.__name__ = "verify"

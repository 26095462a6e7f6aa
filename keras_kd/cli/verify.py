"""`keras-kd verify`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import AccuracyTooLowError
from keras_kd.cli._console import console, fail, new_table
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model

# Of the details as many as a screen shows; the JSON file has all.
_MOST_ROWS = 10


def command(
    tflite: Annotated[Path, typer.Argument(help="The .tflite file.")],
    model: Annotated[Path, typer.Option(help="The .keras file that it was made from.")],
    data: Annotated[str, typer.Option(help="Data to score on: its test part.")] = (
        "digits"
    ),
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
    fail_below: Annotated[
        float | None,
        typer.Option(help="Exit with code 1 if the file's accuracy is less, as 0.95."),
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Show classes, flips and layers too.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(help="Write all that was found to this file.")
    ] = None,
):
    """Score a .tflite file itself, beside its Keras model."""
    from keras_kd._files import check_writable, written_whole
    from keras_kd.data import load
    from keras_kd.export import verify

    if json is not None:
        check_writable("keras-kd verify", json)
    dataset = load(data, image_size=parse_image_size(image_size))
    too_low = None
    try:
        result = verify(tflite, load_model(model), dataset.test, fail_below=fail_below)
    except AccuracyTooLowError as error:
        result, too_low = error.verification, error
    rows = new_table(f"{tflite.name} on the test part of {data}", "measure", "value")
    for name, value in result.lines():
        rows.add_row(name, value)
    console.print(rows)
    if details:
        for table in _tables(result):
            console.print(table)
    if json is not None:
        with written_whole(json) as (temporary,):
            temporary.write_text(result.to_json(), encoding="utf-8")
        console.print(f"Written to {json}", soft_wrap=True)
    if too_low is not None:
        fail(too_low, code=1)


def _tables(result):
    """Tables of the classes, flips and layers that stand out."""
    worst = sorted(result.classes, key=lambda one: (one.change, -one.flips))
    rows = [
        (
            one.name,
            f"{one.examples}",
            f"{one.keras_accuracy:.2%}",
            f"{one.accuracy:.2%}",
            f"{one.flips}",
        )
        for one in worst
    ]
    yield _table("Classes", rows, "class", "examples", "Keras", "file", "flips")
    rows = [
        (
            f"{one.index}",
            f"{one.label}",
            f"{one.keras_class} ({one.keras_confidence:.0%})",
            f"{one.file_class} ({one.file_confidence:.0%})",
        )
        for one in result.flips
    ]
    yield _table("Flips", rows, "example", "label", "Keras", "file")
    worst = sorted(result.layers, key=lambda one: -one.added)
    rows = [
        (one.layer, one.operation, one.dtype, f"{one.error:.2%}", f"{one.added:+.2%}")
        for one in worst
    ]
    title = "Layers, error relative to Keras, and what is new in it"
    if result.layers_missing is not None:
        title = f"Layers: {result.layers_missing}"
    yield _table(title, rows, "layer", "operation", "type", "error", "new")


def _table(title, rows, *columns):
    if len(rows) > _MOST_ROWS:
        title += f" ({_MOST_ROWS} of {len(rows)})"
    table = new_table(title, *columns)
    # A long path shall not push the numbers off the screen.
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    for row in rows[:_MOST_ROWS]:
        table.add_row(*row)
    return table


command.__name__ = "verify"

"""`keras-kd export`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import check_choice, invalid
from keras_kd.cli._console import console, new_table, progress
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model, output_folder

WHERE = "keras-kd export"


def command(
    model: Annotated[Path, typer.Argument(help="The student, a .keras file.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("."),
    precision: Annotated[
        str | None,
        typer.Option(
            help="One or more of float32, float16, dynamic_int8, int8, int16x8 and "
            "int4_weights, with commas between them; by default the first four, or "
            "what a quantisation-aware student was trained for."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Data to calibrate int8 on, and to take class names from."),
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
    normalize: Annotated[
        str | None,
        typer.Option(
            help="MEAN/STD that made the model's inputs of raw ones, as 0/255 or "
            "124,116,104/58,57,57: the files take raw inputs and do it themselves."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(help="What the files give: logits or probabilities."),
    ] = None,
    float_io: Annotated[
        bool,
        typer.Option(
            "--float-io", help="Float input and output for integer files (browsers)."
        ),
    ] = False,
    c_array: Annotated[
        bool,
        typer.Option(
            "--c-array", help="Also write each file as .h and .c for firmware."
        ),
    ] = False,
):
    """Write a Keras model as .tflite files, each with a .json manifest."""
    from keras_kd.data import load
    from keras_kd.export import PRECISIONS, convert, write_c_array

    wanted = [name.strip() for name in precision.split(",")] if precision else None
    for name in wanted or ():
        check_choice(WHERE, "--precision", name, PRECISIONS)
    options = {
        "normalization": _normalization(normalize),
        "output": output,
        "float_io": float_io,
    }
    keras_model = load_model(model)
    precisions = wanted or _usual_precisions(keras_model)
    _check_data(data, keras_model, precisions)
    dataset = data and load(data, image_size=parse_image_size(image_size))
    folder = output_folder(out)
    options |= {
        "calibration_data": dataset and dataset.train,
        "labels": dataset and dataset.class_names,
    }
    rows = new_table(f"Written to {folder}/", "file", "bytes", "input", "output")
    with progress() as bar:
        task = bar.add_task("Converting", total=len(precisions), note="")
        for name in precisions:
            bar.update(task, note=name)
            path = folder / f"{model.stem}-{name}.tflite"
            manifest = convert(keras_model, path, precision=name, **options)
            rows.add_row(
                path.name,
                f"{manifest.size_bytes:,}",
                manifest.input.dtype,
                manifest.output.dtype,
            )
            if c_array:
                written = write_c_array(path, folder, name=_c_name(path))
                for part in written:
                    rows.add_row(part.name, f"{part.stat().st_size:,}", "", "")
            bar.update(task, advance=1, note="")
    console.print(rows)


def _usual_precisions(model):
    from keras_kd.export.quantization import trained_precision

    trained = trained_precision(model)
    if trained:
        return [trained]
    return ["float32", "float16", "dynamic_int8", "int8"]


def _check_data(data, model, precisions):
    from keras_kd.export.convert import CALIBRATED
    from keras_kd.export.quantization import is_quantization_aware

    calibrated = [name for name in precisions if name in CALIBRATED]
    if data is None and calibrated and not is_quantization_aware(model):
        raise invalid(
            WHERE, f"--data for {calibrated[0]}", "none", "Name the training data."
        )


def _normalization(text):
    """`(mean, std)` of "0/255" or "1,2,3/4,5,6"; None of None."""
    if text is None:
        return None
    try:
        mean, std = (
            [float(number) for number in part.split(",")] for part in text.split("/")
        )
    except ValueError as error:
        raise invalid(
            WHERE,
            "--normalize as MEAN/STD",
            f'"{text}"',
            "For pixels that training divided by 255, give 0/255.",
        ) from error
    return mean, std


def _c_name(path):
    """A name for C of a file's: letters, digits and underscores."""
    name = "".join(letter if letter.isalnum() else "_" for letter in path.stem)
    return name if name.isascii() and not name[0].isdigit() else f"model_{name}"


command.__name__ = "export"

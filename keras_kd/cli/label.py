"""`keras-kd label`."""

import functools
import logging
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import check_choice, invalid
from keras_kd.cli._console import console, errors, new_table
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model, output_folder

WHERE = "keras-kd label"
PARTS = ("train", "validation", "test")


def command(
    teacher: Annotated[Path, typer.Option(help="The trained teacher, a .keras file.")],
    data: Annotated[
        str, typer.Option(help="digits, tfds:NAME, folder:PATH or npz:PATH.")
    ] = "digits",
    part: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    top_k: Annotated[
        int | None, typer.Option(help="Keep the likeliest classes only.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="At which the others' mass is exact.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="float16 or float32.")] = "float16",
    views: Annotated[int, typer.Option(help="Label each example so many times.")] = 1,
    crop: Annotated[
        int, typer.Option(min=0, help="Augment: shift by up to so many pixels.")
    ] = 0,
    flip: Annotated[
        bool, typer.Option("--flip", help="Augment: mirror left to right.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Examples at a time.")] = 256,
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
    beam: Annotated[
        str | None,
        typer.Option(help='Let Apache Beam do it: its flags, "--runner=… …".'),
    ] = None,
    staging: Annotated[
        str | None,
        typer.Option(help="With --beam: gs://… if its workers do not see --out."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the soft targets.")] = Path(
        "runs/soft-targets"
    ),
):
    """Store a teacher's answers; interrupted, the same command goes on."""
    check_choice(WHERE, "part", part, PARTS)
    flags = _beam_flags(beam, staging)
    from keras_kd.cli._training import augmentation
    from keras_kd.teachers import label, label_with_beam

    make = functools.partial(_examples, data, parse_image_size(image_size), part)
    if flags is None:
        work = functools.partial(label, load_model(teacher), make(), progress=True)
    else:
        work = functools.partial(
            label_with_beam, teacher, make, pipeline_options=flags, staging=staging
        )
    folder = output_folder(out)
    console.print("If this is interrupted, the same command goes on where it was.")
    try:
        soft = work(
            folder,
            top_k=top_k,
            dtype=dtype,
            views=views,
            augment=augmentation(crop, flip),
            temperature=temperature,
            batch_size=batch_size,
        )
    except KeyboardInterrupt:
        errors.print("Stopped. Run the same command again to go on from here.")
        raise SystemExit(130) from None
    _report(soft, folder)
    if part == "train":
        more = f" --crop {crop}" * bool(crop) + " --flip" * flip
        more += f" --image-size {image_size}" if image_size else ""
        console.print(
            f"Next: keras-kd distill --soft-targets {folder} --student STUDENT.keras "
            f"--data {data}{more}",
            soft_wrap=True,
        )


def _examples(data, image_size, part):
    """One part of a data set; Beam's workers call it too."""
    from keras_kd.data import load

    return getattr(load(data, image_size=image_size), part)


def _beam_flags(text, staging):
    """Beam's flags one by one, None without; its log is seen with --debug only."""
    if text is None:
        if staging is None:
            return None
        raise invalid(WHERE, "--beam with --staging", "none", "Name Beam's flags.")
    if "--debug" not in sys.argv:
        logging.basicConfig(level=logging.CRITICAL)
    try:
        return shlex.split(text)
    except ValueError as error:
        raise invalid(
            WHERE,
            "--beam as a shell takes it",
            f"{text} ({error})",
            "Close the quotation.",
        ) from error


def _report(soft, folder):
    """What was stored, as a table."""
    size_bytes = sum(file.stat().st_size for file in folder.iterdir())
    rows = new_table(f"Soft targets in {folder}", "measure", "value")
    for name, value in (
        ("examples", f"{soft.count:,}"),
        ("views of each", f"{soft.views}"),
        ("classes", f"{soft.num_classes:,}"),
        ("classes stored", f"{soft.plan.top_k or soft.num_classes:,}"),
        ("bytes", f"{size_bytes:,}"),
        ("bytes an example and view", f"{size_bytes / soft.count / soft.views:,.1f}"),
    ):
        rows.add_row(name, value)
    console.print(rows)


command.__name__ = "label"

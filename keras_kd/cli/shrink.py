"""`keras-kd shrink`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import invalid
from keras_kd._files import written_whole
from keras_kd.cli._console import console
from keras_kd.cli._deployability import check_or_stop, describe
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model

WHERE = "keras-kd shrink"


def command(
    teacher: Annotated[Path, typer.Argument(help="The teacher, a .keras file.")],
    width: Annotated[float, typer.Option(help="Share of the channels.")] = 0.5,
    depth: Annotated[
        float, typer.Option(help="Share of the repeated residual blocks.")
    ] = 1.0,
    divisor: Annotated[int, typer.Option(help="Channels become multiples of it.")] = 8,
    init: Annotated[
        str, typer.Option(help="teacher: its most important channels; or random.")
    ] = "teacher",
    data: Annotated[
        str | None,
        typer.Option(help="Data to choose the channels on; else by their weights."),
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of random weights.")] = 0,
    target: Annotated[
        str | None,
        typer.Option(help="Check it for mobile, browser or microcontroller."),
    ] = None,
    ram: Annotated[
        str | None,
        typer.Option(help="What a microcontroller has for its arena, as 64KiB."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path(
        "student.keras"
    ),
):
    """Make a student: the teacher's architecture with fewer channels and blocks."""
    if out.suffix != ".keras":
        raise invalid(WHERE, "--out that ends in .keras", f'"{out}"', "Rename it.")
    if ram is not None and target is None:
        raise invalid(WHERE, "--target with --ram", "none", "Say microcontroller.")
    import keras

    from keras_kd.data import load
    from keras_kd.students import shrink

    model = load_model(teacher)
    dataset = data and load(data, image_size=parse_image_size(image_size))
    keras.utils.set_random_seed(seed)
    student = shrink(
        model,
        width=width,
        depth=depth,
        divisor=divisor,
        init=init,
        data=dataset and some_inputs(dataset.train),
    )
    if target is not None:
        describe(student, check_or_stop(student, target, ram))
    _make_folder(out)
    with written_whole(out) as (path,):
        student.save(path)
    console.print(
        f"{out}: {student.count_params():,} weights, "
        f"{model.count_params() / student.count_params():.1f}x fewer than the "
        f"{model.count_params():,} of its teacher.",
        soft_wrap=True,
    )


def some_inputs(split, most=512):
    """Some examples of a `Split` in a random order, without labels: `(n, ...)`."""
    import numpy as np

    found, batch_size = [], 64
    for x in split.batches(batch_size, shuffle_seed=0, labels=False):
        found.append(np.asarray(x))
        if len(found) * batch_size >= most:
            break
    return np.concatenate(found)[:most]


def _make_folder(path):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise invalid(
            WHERE,
            "--out in a folder that can be made",
            f'"{path}" ({error.strerror})',
            "Choose another file.",
        ) from error


command.__name__ = "shrink"

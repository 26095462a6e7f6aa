"""`keras-kd distill`."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import check_choice, check_positive, invalid
from keras_kd._files import written_whole
from keras_kd.cli import _results
from keras_kd.cli._console import console, errors
from keras_kd.cli._deployability import check_or_stop, describe
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model, output_folder
from keras_kd.cli._sizes import count, milliseconds, size_bytes

WHERE = "keras-kd distill"
AUTO = Path("auto")
_BUDGET = "A student made from the teacher (--student auto)"


def command(
    student: Annotated[
        Path,
        typer.Option(
            help="The student, a .keras file; or auto: made from the teacher."
        ),
    ],
    teacher: Annotated[
        Path | None, typer.Option(help="The trained teacher, a .keras file.")
    ] = None,
    soft_targets: Annotated[
        Path | None,
        typer.Option(help="In its place, the folder that keras-kd label made."),
    ] = None,
    data: Annotated[
        str, typer.Option(help="digits, tfds:NAME, folder:PATH or npz:PATH.")
    ] = "digits",
    alpha: Annotated[float, typer.Option(help="Weight of the hard labels.")] = 0.1,
    temperature: Annotated[float, typer.Option(help="Softens the teacher.")] = 4.0,
    epochs: Annotated[int, typer.Option(min=1, help="Times through the data.")] = 30,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples a step.")] = 32,
    learning_rate: Annotated[
        float, typer.Option(help="Of Adam, at the start of a cosine decay.")
    ] = 0.003,
    crop: Annotated[
        int, typer.Option(min=0, help="Augment: shift by up to so many pixels.")
    ] = 0,
    flip: Annotated[
        bool, typer.Option("--flip", help="Augment: mirror left to right.")
    ] = False,
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of shuffling and augmentation.")] = 0,
    target: Annotated[
        str | None,
        typer.Option(
            help="Check first: mobile, browser or microcontroller; with --student auto "
            "also any target of keras-kd benchmark, and times are of there."
        ),
    ] = None,
    ram: Annotated[
        str | None,
        typer.Option(help="What a microcontroller has for its arena, as 64KiB."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(help="Of the .tflite file, as 250kB.", rich_help_panel=_BUDGET),
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(
            help="Median of one example on the target, else here, as 20ms.",
            rich_help_panel=_BUDGET,
        ),
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(help="Weights, as 300k.", rich_help_panel=_BUDGET)
    ] = None,
    max_macs: Annotated[
        str | None,
        typer.Option(help="Multiplications, as 5M.", rich_help_panel=_BUDGET),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Of the .tflite file.", rich_help_panel=_BUDGET)
    ] = "int8",
    divisor: Annotated[
        int,
        typer.Option(
            help="Channels become multiples of it; small students need 4 or 2.",
            rich_help_panel=_BUDGET,
        ),
    ] = 8,
    depth: Annotated[
        list[float] | None,
        typer.Option(
            help="Share of the residual blocks; several times to try several.",
            rich_help_panel=_BUDGET,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(
        "runs/distill"
    ),
):
    """Train a student from a teacher; interrupted, the same command goes on.

    With --student auto it does the whole way: the largest student within
    the limits, its training (again for its integers, if they cost more than
    a point), the .tflite file, and what became of accuracy, size and time.
    """
    limits = {
        "max_size_bytes": size_bytes("--max-size", max_size),
        "max_latency_ms": milliseconds("--max-latency", max_latency),
        "max_params": count("--max-params", max_params),
        "max_macs": count("--max-macs", max_macs),
        "max_arena_bytes": size_bytes("--ram", ram) if student == AUTO else None,
    }
    _check_teaching(teacher, soft_targets)
    _check_student(student, teacher, limits, ram, target)
    check_positive(WHERE, "learning_rate", learning_rate)
    settings = {
        "teacher": _digest(teacher or soft_targets / "soft_targets.json"),
        "student": "auto" if student == AUTO else _digest(student),
        "data": data,
        "alpha": alpha,
        "temperature": temperature,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "crop": crop,
        "flip": flip,
        "image_size": image_size,
        "seed": seed,
    }
    try:
        if student == AUTO:
            making = {
                "precision": precision,
                "divisor": divisor,
                "depths": tuple(depth or (1.0,)),
            }
            _run_automatic(teacher, limits, target, making, settings, out)
        else:
            _run(teacher or soft_targets, student, target, ram, settings, out)
    except KeyboardInterrupt:
        errors.print("Stopped. Run the same command again to go on from here.")
        raise SystemExit(130) from None


def _run_automatic(teacher, limits, target, making, settings, out):
    """The whole way from a teacher and limits to a file."""
    from keras_kd.cli._automatic import AutomaticRun, places
    from keras_kd.data import load
    from keras_kd.export import PRECISIONS

    check_choice(WHERE, "--precision", making["precision"], PRECISIONS)
    places(target)
    model = load_model(teacher)
    dataset = load(settings["data"], image_size=_image_size(settings))
    run = AutomaticRun(
        model,
        dataset,
        limits=limits,
        target=target,
        making=making,
        settings=settings,
        folder=output_folder(out),
    )
    run.run()


def _run(teaching, student, target, ram, settings, out):
    """The training of a given student."""
    import keras

    from keras_kd.cli._distilling import distil
    from keras_kd.cli._training import write_curves
    from keras_kd.data import load
    from keras_kd.teachers import SoftTargets

    learning = load_model(student)
    if target is not None:
        describe(learning, check_or_stop(learning, target, ram))
    keras.utils.set_random_seed(settings["seed"])
    is_stored = teaching.is_dir()
    teacher = (SoftTargets if is_stored else load_model)(teaching)
    dataset = load(settings["data"], image_size=_image_size(settings))
    folder = output_folder(out)
    console.print("If this is interrupted, the same command goes on where it was.")
    checkpoint = distil(teacher, learning, dataset, settings, folder / "checkpoint")
    with written_whole(folder / "student.keras") as (path,):
        learning.save(path)
    write_curves(folder / "student.csv", checkpoint.history)
    _report(None if is_stored else teacher, learning, dataset, settings, folder)
    checkpoint.remove()


def _check_teaching(teacher, soft_targets):
    if (teacher is None) == (soft_targets is None):
        raise invalid(
            WHERE,
            "either --teacher or --soft-targets",
            "neither" if teacher is None else "both",
            "Name the teacher's file, or the folder that keras-kd label made.",
        )


def _check_student(student, teacher, limits, ram, target):
    """Raises if options are given that this kind of student does not take."""
    given = [name for name, value in limits.items() if value is not None]
    if student != AUTO:
        if given:
            raise invalid(
                WHERE,
                f"--student auto with --{given[0].rsplit('_', 1)[0].replace('_', '-')}",
                f"--student {student}",
                "A student that is given is not changed: leave the limit out.",
            )
        if ram is not None and target is None:
            raise invalid(WHERE, "--target with --ram", "none", "Say microcontroller.")
        return
    if teacher is None:
        raise invalid(
            WHERE,
            "--teacher with --student auto",
            "--soft-targets",
            "The student is made from the teacher's own layers: name its file.",
        )
    if not given:
        raise invalid(
            WHERE,
            "a limit with --student auto",
            "none",
            "Say --max-size 250kB, --max-latency 20ms, --max-params, --max-macs or "
            "--ram.",
        )


def _image_size(settings):
    return parse_image_size(settings["image_size"])


def _report(teacher, student, dataset, settings, folder):
    """Scores the student, and the teacher if it is there, on the test part."""
    x, y = dataset.test.arrays()
    labels = len(dataset.train) if settings["alpha"] > 0 else 0
    rows = [
        _results.keras_row(
            "student", "distilled", student, teacher, x, y, labels=labels
        ),
    ]
    if teacher is not None:
        row = _results.keras_row("teacher", "teacher", teacher, teacher, x, y, labels=0)
        rows.insert(0, row)
    _results.write(
        folder / "results.json", rows, seed=settings["seed"], settings=settings
    )
    console.print(
        _results.table(f"{dataset.name}, test part ({len(y)} examples)", rows)
    )
    size = f" --image-size {settings['image_size']}" if settings["image_size"] else ""
    console.print(
        f"Next: keras-kd export {folder / 'student.keras'} --data {dataset.name}{size} "
        f"--out {folder}",
        soft_wrap=True,
    )


def _digest(path):
    """The SHA-256 of a file, so that a run does not go on with another model."""
    if not path.is_file():
        raise invalid(WHERE, "an existing file", f'"{path}"', "Check the path.")
    return hashlib.sha256(path.read_bytes()).hexdigest()


command.__name__ = "distill"

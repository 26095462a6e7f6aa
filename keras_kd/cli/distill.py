"""`keras-kd distill`."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import check_positive, invalid
from keras_kd._files import written_whole
from keras_kd.cli import _results
from keras_kd.cli._console import console, errors, progress
from keras_kd.cli._deployability import check_or_stop
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model, output_folder

WHERE = "keras-kd distill"


def command(
    student: Annotated[Path, typer.Option(help="The student, a .keras file.")],
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
        typer.Option(help="Check first: mobile, browser or microcontroller."),
    ] = None,
    ram: Annotated[
        str | None,
        typer.Option(help="What a microcontroller has for its arena, as 64kB."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(
        "runs/distill"
    ),
):
    """Train a student from a teacher; interrupted, the same command goes on."""
    _check_teaching(teacher, soft_targets)
    settings = {
        "teacher": _digest(teacher or soft_targets / "soft_targets.json"),
        "student": _digest(student),
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
    check_positive(WHERE, "learning_rate", learning_rate)
    from keras_kd.data import load

    teaching, learning = _models(teacher or soft_targets, student, target, ram, seed)
    dataset = load(data, image_size=parse_image_size(image_size))
    folder = output_folder(out)
    try:
        checkpoint = _distill(teaching, learning, dataset, settings, folder)
    except KeyboardInterrupt:
        errors.print("Stopped. Run the same command again to go on from here.")
        raise SystemExit(130) from None
    _report(None if teacher is None else teaching, learning, dataset, settings, folder)
    checkpoint.remove()


def _check_teaching(teacher, soft_targets):
    if (teacher is None) == (soft_targets is None):
        raise invalid(
            WHERE,
            "either --teacher or --soft-targets",
            "neither" if teacher is None else "both",
            "Name the teacher's file, or the folder that keras-kd label made.",
        )


def _models(teaching, student, target, ram, seed):
    """What teaches, and the student, checked first if it has a target."""
    if ram is not None and target is None:
        raise invalid(WHERE, "--target with --ram", "none", "Say microcontroller.")
    import keras

    from keras_kd.teachers import SoftTargets

    learning = load_model(student)
    if target is not None:
        check_or_stop(learning, target, ram)
    keras.utils.set_random_seed(seed)
    read = SoftTargets if teaching.is_dir() else load_model
    return read(teaching), learning


def _distill(teacher, student, dataset, settings, folder):
    """Trains the student, going on where an earlier run was interrupted."""
    from keras_kd.cli._training import cosine_adam
    from keras_kd.distiller import Checkpoint, Distiller
    from keras_kd.outputs import check_weights

    distiller = Distiller(
        teacher, student, alpha=settings["alpha"], temperature=settings["temperature"]
    )
    steps = settings["epochs"] * _steps_per_epoch(dataset, settings)
    optimizer = cosine_adam(settings["learning_rate"], steps)
    distiller.compile(optimizer, metrics=["accuracy"])
    checkpoint = Checkpoint(folder / "checkpoint", settings)
    _fit(distiller, dataset, settings, checkpoint)
    checkpoint.restore_best(distiller)
    check_weights(WHERE, student, "student after training")
    with written_whole(folder / "student.keras") as (path,):
        student.save(path)
    return checkpoint


def _fit(distiller, dataset, settings, checkpoint):
    """The epochs that are left to do, with a bar."""
    import keras

    from keras_kd.cli._training import EpochProgress
    from keras_kd.teachers import SoftTargets

    done, epochs = checkpoint.resume(distiller), settings["epochs"]
    if done:
        console.print(f"Going on after epoch {done} of {epochs}.")
    else:
        console.print("If this is interrupted, the same command goes on where it was.")
    batches = _batches(distiller.teacher, dataset.train, settings, done)
    # One pass through soft targets shows every view; an epoch is one of them.
    is_stored = isinstance(distiller.teacher, SoftTargets)
    steps = _steps_per_epoch(dataset, settings) if is_stored else None
    with progress() as bar:
        task = bar.add_task("Distilling", total=epochs, completed=done, note="")
        shown = EpochProgress(bar, task)
        distiller.fit(
            batches,
            validation_data=dataset.validation.batches(256),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[keras.callbacks.TerminateOnNaN(), checkpoint, shown],
        )


def _batches(teacher, split, settings, done):
    """What is left to train on after so many epochs, with soft targets if stored."""
    from keras_kd.cli._training import augmentation
    from keras_kd.data.augment import describe
    from keras_kd.teachers import SoftTargets

    augment = augmentation(settings["crop"], settings["flip"])
    batch_size, seed = settings["batch_size"], settings["seed"] + done
    if not isinstance(teacher, SoftTargets):
        return split.batches(batch_size, shuffle_seed=seed, augment=augment)
    labelled, given = list(teacher.plan.augment), describe(augment or [])
    if labelled != given:
        raise invalid(
            WHERE,
            f"--crop and --flip as at labelling: {' and '.join(labelled) or 'none'}",
            " and ".join(given) or "none",
            "Repeat those that keras-kd label was given.",
        )
    return teacher.attach(
        split,
        batch_size=batch_size,
        shuffle_seed=seed,
        augment=augment,
        first_view=done % teacher.views,
    )


def _steps_per_epoch(dataset, settings):
    return -(-len(dataset.train) // settings["batch_size"])


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

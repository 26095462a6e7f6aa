"""`keras-kd distill`."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import check_positive, invalid
from keras_kd._files import written_whole
from keras_kd.cli import _results
from keras_kd.cli._console import console, errors, progress
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import load_model, output_folder


def command(
    teacher: Annotated[Path, typer.Option(help="The trained teacher, a .keras file.")],
    student: Annotated[Path, typer.Option(help="The student, a .keras file.")],
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
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(
        "runs/distill"
    ),
):
    """Train a student from a teacher; interrupted, the same command goes on."""
    settings = {
        "teacher": _digest(teacher),
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
    check_positive("keras-kd distill", "learning_rate", learning_rate)
    import keras

    from keras_kd.data import load

    keras.utils.set_random_seed(seed)
    models = load_model(teacher), load_model(student)
    dataset = load(data, image_size=parse_image_size(image_size))
    folder = output_folder(out)
    try:
        checkpoint = _distill(*models, dataset, settings, folder)
    except KeyboardInterrupt:
        errors.print("Stopped. Run the same command again to go on from here.")
        raise SystemExit(130) from None
    _report(*models, dataset, settings, folder)
    checkpoint.remove()


def _distill(teacher, student, dataset, settings, folder):
    """Trains the student, going on where an earlier run was interrupted."""
    from keras_kd.cli._training import cosine_adam
    from keras_kd.distiller import Checkpoint, Distiller
    from keras_kd.outputs import check_weights

    distiller = Distiller(
        teacher, student, alpha=settings["alpha"], temperature=settings["temperature"]
    )
    steps = settings["epochs"] * -(-len(dataset.train) // settings["batch_size"])
    optimizer = cosine_adam(settings["learning_rate"], steps)
    distiller.compile(optimizer, metrics=["accuracy"])
    checkpoint = Checkpoint(folder / "checkpoint", settings)
    _fit(distiller, dataset, settings, checkpoint)
    checkpoint.restore_best(distiller)
    check_weights("keras-kd distill", student, "student after training")
    with written_whole(folder / "student.keras") as (path,):
        student.save(path)
    return checkpoint


def _fit(distiller, dataset, settings, checkpoint):
    """The epochs that are left to do, with a bar."""
    import keras

    from keras_kd.cli._training import EpochProgress

    done, epochs = checkpoint.resume(distiller), settings["epochs"]
    if done:
        console.print(f"Going on after epoch {done} of {epochs}.")
    else:
        console.print("If this is interrupted, the same command goes on where it was.")
    batches = dataset.train.batches(
        settings["batch_size"],
        shuffle_seed=settings["seed"] + done,
        augment=_augmentation(settings),
    )
    with progress() as bar:
        task = bar.add_task("Distilling", total=epochs, completed=done, note="")
        shown = EpochProgress(bar, task)
        distiller.fit(
            batches,
            validation_data=dataset.validation.batches(256),
            initial_epoch=done,
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=[keras.callbacks.TerminateOnNaN(), checkpoint, shown],
        )


def _report(teacher, student, dataset, settings, folder):
    """Scores teacher and student on the test part, as a table and as JSON."""
    x, y = dataset.test.arrays()
    labels = len(dataset.train) if settings["alpha"] > 0 else 0
    rows = [
        _results.keras_row("teacher", "teacher", teacher, teacher, x, y, labels=0),
        _results.keras_row(
            "student", "distilled", student, teacher, x, y, labels=labels
        ),
    ]
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


def _augmentation(settings):
    from keras_kd.data import random_crop, random_flip

    steps = [random_crop(settings["crop"])] if settings["crop"] else []
    return (steps + [random_flip] * settings["flip"]) or None


def _digest(path):
    """The SHA-256 of a file, so that a run does not go on with another model."""
    if not path.is_file():
        raise invalid("keras-kd", "a model file", f'"{path}"', "Check the path.")
    return hashlib.sha256(path.read_bytes()).hexdigest()


command.__name__ = "distill"

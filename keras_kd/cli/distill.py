"""`keras-kd distill`."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import invalid
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
    import keras

    from keras_kd.data import load

    keras.utils.set_random_seed(seed)
    models = load_model(teacher), load_model(student)
    dataset = load(data, image_size=parse_image_size(image_size))
    folder = output_folder(out)
    try:
        _distill(*models, dataset, settings, folder)
    except KeyboardInterrupt:
        errors.print("Stopped. Run the same command again to go on from here.")
        raise SystemExit(130) from None
    _report(*models, dataset, settings, folder)


def _distill(teacher, student, dataset, settings, folder):
    """Trains the student, going on where an earlier run was interrupted."""
    from keras_kd.cli._training import EpochProgress, cosine_adam
    from keras_kd.distiller import Checkpoint, Distiller

    epochs, batch_size = settings["epochs"], settings["batch_size"]
    distiller = Distiller(
        teacher,
        student,
        alpha=settings["alpha"],
        temperature=settings["temperature"],
    )
    steps = epochs * -(-len(dataset.train) // batch_size)
    distiller.compile(
        cosine_adam(settings["learning_rate"], steps), metrics=["accuracy"]
    )
    checkpoint = Checkpoint(folder / "checkpoint", settings)
    done = checkpoint.resume(distiller)
    if done:
        console.print(f"Going on after epoch {done} of {epochs}.")
    else:
        console.print("If this is interrupted, the same command goes on where it was.")
    with progress() as bar:
        task = bar.add_task("Distilling", total=epochs, completed=done, note="")
        distiller.fit(
            dataset.train.batches(
                batch_size,
                shuffle_seed=settings["seed"] + done,
                augment=_augmentation(settings),
            ),
            validation_data=dataset.validation.batches(256),
            initial_epoch=done,
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=[checkpoint, EpochProgress(bar, task)],
        )
    checkpoint.restore_best(distiller)
    with written_whole(folder / "student.keras") as (path,):
        student.save(path)
    checkpoint.remove()


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
    console.print(f"Next: keras-kd export {folder / 'student.keras'} --out {folder}")


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

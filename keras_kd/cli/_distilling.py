"""Distilling a student with a bar, so that a run that was stopped can go on."""

import keras

from keras_kd._checks import invalid
from keras_kd.cli._console import console, progress
from keras_kd.cli._training import EpochProgress, augmentation, cosine_adam
from keras_kd.data.augment import describe
from keras_kd.distiller import Checkpoint, Distiller
from keras_kd.outputs import check_weights
from keras_kd.teachers import SoftTargets


def distil(teacher, student, dataset, settings, folder, *, title="Distilling"):
    """Trains the student, going on where an earlier run was interrupted.

    Args:
        teacher: a Keras model or `SoftTargets`.
        student: a Keras model; ends with the weights of its best epoch.
        dataset: `DataSet`; the best epoch is chosen on its validation part.
        settings: dict, JSON-able; another one does not go on with this run. Read are
            "alpha", "temperature", "epochs", "batch_size", "learning_rate", "crop",
            "flip" and "seed".
        folder: `Path`, of the checkpoint.
        title: str, shown beside the bar.

    Returns:
        The `Checkpoint`, to be removed when what follows is done too.

    Raises:
        ValueError: The run in the folder has other settings; the student diverged.
    """
    distiller = Distiller(
        teacher, student, alpha=settings["alpha"], temperature=settings["temperature"]
    )
    steps = settings["epochs"] * _steps_per_epoch(dataset, settings)
    optimizer = cosine_adam(settings["learning_rate"], steps)
    distiller.compile(optimizer, metrics=["accuracy"])
    checkpoint = Checkpoint(folder, settings)
    _fit(distiller, dataset, settings, checkpoint, title)
    checkpoint.restore_best(distiller)
    check_weights("keras-kd distill", student, "student after training")
    return checkpoint


def _fit(distiller, dataset, settings, checkpoint, title):
    """The epochs that are left to do, with a bar."""
    done, epochs = checkpoint.resume(distiller), settings["epochs"]
    if 0 < done < epochs:
        console.print(f"Going on after epoch {done} of {epochs}.")
    batches = _batches(distiller.teacher, dataset.train, settings, done)
    # One pass through soft targets shows every view; an epoch is one of them.
    is_stored = isinstance(distiller.teacher, SoftTargets)
    steps = _steps_per_epoch(dataset, settings) if is_stored else None
    with progress() as bar:
        task = bar.add_task(title, total=epochs, completed=done, note="")
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
    augment = augmentation(settings["crop"], settings["flip"])
    batch_size, seed = settings["batch_size"], settings["seed"] + done
    if not isinstance(teacher, SoftTargets):
        return split.batches(batch_size, shuffle_seed=seed, augment=augment)
    labelled, given = list(teacher.plan.augment), describe(augment or [])
    if labelled != given:
        raise invalid(
            "keras-kd distill",
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

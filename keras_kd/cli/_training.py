"""Training with a progress bar."""

import csv

import keras

from keras_kd._files import written_whole


class EpochProgress(keras.callbacks.Callback):
    """Moves a bar of a `rich.progress.Progress` by one for each epoch.

    Args:
        bar: the `Progress`.
        task: the task's id.
    """

    def __init__(self, bar, task):
        super().__init__()
        self.bar = bar
        self.task = task

    def on_epoch_end(self, epoch, logs=None):
        """Shows the epoch's accuracy on validation data."""
        value = (logs or {}).get("val_accuracy")
        note = "" if value is None else f"validation accuracy {value:.3f}"
        self.bar.update(self.task, completed=epoch + 1, note=note)


def augmentation(crop, flip):
    """What `augment` of a data set is for these options, None for none."""
    from keras_kd.data import random_crop, random_flip

    steps = [random_crop(crop)] if crop else []
    return (steps + [random_flip] * flip) or None


def cosine_adam(learning_rate, steps):
    """Adam with a learning rate that falls to 0 along a cosine over `steps`."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.Adam(schedule)


def train(model, batches, validation, *, epochs, steps_per_epoch, bar, title):
    """Fits a compiled model for a fixed number of steps.

    The last epoch counts: the learning rate has come to rest there, and nothing is
    chosen that would need data to choose on. Validation accuracy is shown, not used.

    Args:
        model: compiled with the metric "accuracy".
        batches: `tf.data.Dataset` to learn from, without end.
        validation: `tf.data.Dataset`.
        epochs: int.
        steps_per_epoch: int.
        bar: `rich.progress.Progress`.
        title: str, shown beside the bar.

    Returns:
        A list with a dict of what was logged, one an epoch.
    """
    task = bar.add_task(title, total=epochs, note="")
    logged = model.fit(
        batches,
        validation_data=validation,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[EpochProgress(bar, task)],
    ).history
    return [
        dict(zip(logged, values, strict=True))
        for values in zip(*logged.values(), strict=True)
    ]


def write_curves(path, epochs):
    """Writes what was logged in each epoch as `keras.callbacks.CSVLogger` does.

    Args:
        path: `Path`, of a .csv file.
        epochs: list of dicts with the same keys, one an epoch.
    """
    with (
        written_whole(path) as (temporary,),
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, ["epoch", *sorted(epochs[0])])
        writer.writeheader()
        writer.writerows({"epoch": i, **logs} for i, logs in enumerate(epochs))

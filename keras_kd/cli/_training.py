"""Training with a progress bar."""

import keras


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
    """
    task = bar.add_task(title, total=epochs, note="")
    model.fit(
        batches,
        validation_data=validation,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[EpochProgress(bar, task)],
    )

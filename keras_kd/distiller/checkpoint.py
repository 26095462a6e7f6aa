"""The best epoch of a run, and what it takes to go on after it was killed."""

import json
import math
import shutil
from pathlib import Path

import keras

from keras_kd._checks import invalid, near_matches
from keras_kd._files import check_space


class Checkpoint(keras.callbacks.Callback):
    """Keeps the best and the last epoch on disk, whole at every moment.

    Every epoch is written to a folder of its own, which is renamed when it is complete;
    so a run can be killed at any time and goes on with the epoch after the last whole
    one. `resume` before `fit`, `restore_best` after it.

    Args:
        folder: `str` or `Path`, made if it does not exist.
        settings: dict, JSON-able, of what must be the same for a run to go on.
        monitor: str, the logged value of which the largest is best; of equal ones, the
            last. None: the last epoch is.

    Attributes:
        history: list with one dict an epoch, of what was logged; of the epochs before a
            kill too.

    Raises:
        ValueError: At the end of an epoch, when the disk has no room for it, or
            `monitor` was not logged.

    Example:
        >>> import numpy as np, tempfile
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> model.compile(loss="mse", metrics=["accuracy"])
        >>> checkpoint = Checkpoint(tempfile.mkdtemp(), {}, monitor="accuracy")
        >>> _ = model.fit(np.eye(2), np.eye(2), verbose=0, callbacks=[checkpoint])
        >>> checkpoint.resume(model)
        1
    """

    def __init__(self, folder, settings, *, monitor="val_accuracy"):
        super().__init__()
        self.folder = Path(folder)
        self.settings = settings
        self.monitor = monitor
        self.best_value = -math.inf
        self.best_epoch = None
        self.history = []

    def resume(self, model):
        """Puts a model back to where its run was interrupted.

        Args:
            model: compiled and built like the one that was interrupted.

        Returns:
            The number of complete epochs, for `fit(initial_epoch=…)`; 0 for a new run.

        Raises:
            ValueError: The folder holds a run with other settings.
        """
        latest = self._latest()
        if latest is None:
            return 0
        state = json.loads((latest / "state.json").read_text(encoding="utf-8"))
        check_same_settings("Checkpoint", self.folder, state["settings"], self.settings)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.load_weights(latest / "last.weights.h5")
        self.best_value, self.best_epoch = state["best_value"], state["best_epoch"]
        self.history = state["history"]
        return state["epochs"]

    def restore_best(self, model):
        """Gives a model the weights of its best epoch."""
        latest = self._latest()
        if latest is not None:
            model.load_weights(latest / "best.weights.h5")

    def remove(self):
        """Deletes the folder, when the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch; called by Keras."""
        previous = self._latest()
        logs = {name: float(value) for name, value in (logs or {}).items()}
        value = self._monitored(logs)
        is_best = value >= self.best_value or previous is None
        if is_best:
            self.best_value, self.best_epoch = value, epoch + 1
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        check_space("Checkpoint", self.folder, self._size_bytes())
        last, best = unfinished / "last.weights.h5", unfinished / "best.weights.h5"
        self.model.save_weights(last)
        shutil.copyfile(last if is_best else previous / best.name, best)
        state = {
            "epochs": epoch + 1,
            "best_value": self.best_value,
            "best_epoch": self.best_epoch,
            "history": [*self.history[:epoch], logs],
            "settings": self.settings,
        }
        (unfinished / "state.json").write_text(json.dumps(state), encoding="utf-8")
        unfinished.rename(self.folder / f"epoch-{epoch + 1:06d}")
        self.history = state["history"]
        if previous is not None:
            shutil.rmtree(previous, ignore_errors=True)

    def _monitored(self, logs):
        if self.monitor is None:
            return -math.inf
        if self.monitor not in logs:
            raise invalid(
                "Checkpoint",
                f"`monitor` to be logged every epoch: one of {', '.join(sorted(logs))}",
                repr(self.monitor),
                near_matches(self.monitor, list(logs)) or "Choose one of them.",
            )
        return logs[self.monitor]

    def _size_bytes(self):
        """What an epoch takes at most; HDF5 itself would crash on a full disk."""
        variables = [*self.model.variables, *self.model.optimizer.variables]
        beside = getattr(self.model, "teacher_state", None)
        variables += [] if beside is None else beside.variables
        weights = sum(4 * max(1, math.prod(v.shape)) for v in variables)
        return 2 * (weights + 4096 * len(variables)) + 2**16

    def _latest(self):
        whole = (path.parent for path in self.folder.glob("epoch-*/state.json"))
        return max(whole, default=None)


def check_same_settings(where, folder, theirs, ours):
    """Raises unless a run may go on in a folder that holds an earlier one.

    Args:
        where: str, see `invalid`.
        folder: `Path`, for the message.
        theirs: dict, JSON-able, the settings of the run in the folder.
        ours: dict, those of the run that wants to go on.

    Raises:
        ValueError: They differ; the message shows the entries that do.
    """
    ours = json.loads(json.dumps(ours))
    keys = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
    if keys:
        raise invalid(
            where,
            f"the settings of the run in {folder}: "
            + ", ".join(f"{key}={theirs.get(key)!r}" for key in keys),
            ", ".join(f"{key}={ours.get(key)!r}" for key in keys),
            "Repeat them to go on, or choose another folder for a new run.",
        )

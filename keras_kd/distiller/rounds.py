"""One student taught once: as from one uninterrupted run, or read from its folder."""

import hashlib
import json
import math
import shutil

import keras
import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd._files import check_space
from keras_kd.distiller.checkpoint import Checkpoint, check_same_settings
from keras_kd.losses import schedules
from keras_kd.outputs import check_weights
from keras_kd.teachers import FrozenTeacher
from keras_kd.teachers.frozen import architecture


def teach(where, folder, distiller, *, settings, epochs, monitor, callbacks, **data):
    """Trains the student of a distiller, or gives it the weights it ended with.

    While a round lasts its folder holds a `Checkpoint`; at its end the weights of the
    student and what was logged, in a folder that is renamed when it is whole.

    Args:
        where: str, see `invalid`.
        folder: `Path`, of this round alone.
        distiller: a compiled `Distiller`.
        settings: dict, see `settings_of`.
        epochs: int.
        monitor: see `Checkpoint`.
        callbacks: list.
        **data: the other arguments of `Distiller.fit`.

    Returns:
        The history: a dict of logged name to a list of floats, one for each epoch.

    Raises:
        ValueError: The folder holds a round with other settings, or its weights are not
            those that the round ended with; the student has NaN weights after training.
    """
    student = distiller.student
    checkpoint = Checkpoint(folder / "checkpoint", settings, monitor=monitor)
    history = _read(where, folder, student, settings)
    if history is None:
        distiller.fit(
            initial_epoch=checkpoint.resume(distiller),
            epochs=epochs,
            callbacks=[*callbacks, checkpoint],
            **data,
        )
        checkpoint.restore_best(distiller)
        check_weights(where, student, "student after training")
        history = _by_name(checkpoint.history)
        _write(where, folder, student, {"history": history, "settings": settings})
    checkpoint.remove()
    return history


def settings_of(distiller, fit_arguments):
    """What must be the same for a round to go on; names of layers do not count.

    The starting weights of the student do not count either: where a program does not
    fix its seed they are others each time, and once the round has begun it goes on
    with its own.

    Args:
        distiller: a compiled `Distiller`.
        fit_arguments: dict, as given to `fit`. Arrays count by their content, other
            data sets by the shapes of their elements.

    Returns:
        A dict, JSON-able.
    """
    serialize = keras.saving.serialize_keras_object
    objective = distiller.objective
    compiled = distiller.get_compile_config()
    weights = map(schedules.to_config, objective.weights)
    settings = {
        "teacher": distiller.teacher_fingerprint,
        "student": _digest(architecture(distiller.student).encode()),
        "alpha": schedules.to_config(objective.alpha),
        "distillation_losses": [serialize(loss) for loss in objective.losses],
        "distillation_loss_weights": list(weights),
        "from_logits": distiller.from_logits,
        "optimizer": compiled["optimizer"],
        "loss": compiled["loss"],
        **{name: _description(value) for name, value in fit_arguments.items()},
    }
    return _without_names(settings)


def _read(where, folder, student, settings):
    """Gives a student what a finished round ended with; its history, or None."""
    note = folder / "finished" / "round.json"
    if not note.exists():
        return None
    state = json.loads(note.read_text(encoding="utf-8"))
    check_same_settings(where, folder, state["settings"], settings)
    try:
        student.load_weights(note.parent / "student.weights.h5")
        found = FrozenTeacher(student).fingerprint
    except Exception as error:
        # Whatever it is: the student is the same as then, so the file is not.
        found = error
    if found != state["fingerprint"]:
        raise invalid(
            where,
            f"in {note.parent} the student with fingerprint {state['fingerprint']}",
            found,
            f"The file was changed or damaged: remove {folder} and the folders of the "
            "rounds after it, and run the same again.",
        )
    return state["history"]


def _write(where, folder, student, state):
    """Keeps what a round ended with, whole or not at all."""
    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    # HDF5 itself would crash on a full disk.
    weights = sum(8 * math.prod(weight.shape) + 4096 for weight in student.weights)
    check_space(where, folder, weights + 2**16)
    student.save_weights(unfinished / "student.weights.h5")
    state = {"fingerprint": FrozenTeacher(student).fingerprint, **state}
    text = json.dumps(state, indent=2)
    (unfinished / "round.json").write_text(text, encoding="utf-8")
    unfinished.rename(folder / "finished")


def _by_name(epochs):
    """One list a name, from one dict an epoch."""
    names = dict.fromkeys(name for logs in epochs for name in logs)
    return {name: [logs[name] for logs in epochs if name in logs] for name in names}


def _description(value):
    """A value that is equal for equal arguments of `fit`, and JSON-able."""
    if isinstance(value, dict):
        return {str(key): _description(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_description(entry) for entry in value]
    if isinstance(value, tf.data.Dataset):
        return str(value.element_spec)
    if hasattr(value, "shape"):
        array = np.ascontiguousarray(value)
        if array.dtype == object:  # whose bytes are addresses
            array = array.astype(str)
        return f"{array.shape} {array.dtype} {_digest(array)}"
    if value is None or isinstance(value, (str, int, float)):
        return value
    return type(value).__name__


def _digest(data):
    return hashlib.sha256(data).hexdigest()


def _without_names(config):
    """A config without the names that Keras numbers as it makes them."""
    if isinstance(config, dict):
        keys = config.keys() - {"name", "shared_object_id"}
        return {key: _without_names(config[key]) for key in sorted(keys)}
    if isinstance(config, (list, tuple)):
        return [_without_names(value) for value in config]
    return config

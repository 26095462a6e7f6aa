"""What the models of a run do on data, as sections of the page."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from keras_kd._checks import InvalidInputError
from keras_kd.export import decide
from keras_kd.outputs import check_inputs, find_head, logits_of
from keras_kd.report import _telling
from keras_kd.report._page import Section

_MOST_EXAMPLES = 4000
_BATCH_SIZE = 256
_USUAL_TEMPERATURE = 4.0


@dataclass(frozen=True)
class Shown:
    """What `show` gives.

    Attributes:
        sections: list of `Section`.
        missing: list of str, what could not be shown, and why.
    """

    sections: list = field(default_factory=list)
    missing: list = field(default_factory=list)


@dataclass(frozen=True)
class Models:
    """A run's models with what they say of the test part.

    Attributes:
        models: dict of role ("teacher", "student", "scratch") to model.
        logits: dict of role to float `(n, num_classes)`.
        chosen: dict of role to int `(n,)`, the chosen classes.
        x: float `(n, ...)`.
        y: int `(n,)`.
        class_names: tuple of str.
    """

    models: dict
    logits: dict
    chosen: dict
    x: np.ndarray
    y: np.ndarray
    class_names: tuple

    @property
    def of_images(self):
        """Whether the examples are grey or colour images."""
        return self.x.ndim == 4 and self.x.shape[-1] in (1, 3)


def show(run, dataset, teacher, album, *, seed):
    """The sections about a run's models, as far as they are there.

    Args:
        run: `Run`.
        dataset: `DataSet`; its test part is used, of a large one the beginning.
        teacher: path of the teacher's file, or None for that in the folder.
        album: `Album`.
        seed: int, of the maps.

    Returns:
        A `Shown`.
    """
    shown = Shown()
    has = _predicted(run, dataset, teacher, shown.missing)
    temperature = run.settings.get("temperature", _USUAL_TEMPERATURE)
    parts = [
        ("Which class was taken for which", ("student",), _telling.confusions),
        ("Whom the teacher helped", ("teacher", "student"), _telling.outcomes),
        ("What the teacher's soft targets say", ("teacher",), _telling.soft_targets),
        ("As sure as right?", ("student",), _telling.calibration),
    ]
    if has.of_images:
        parts.append(("Where they look", ("teacher", "student"), _telling.maps))
    else:
        shown.missing.append("No maps of where models look: the data are no images.")
    left_out = []
    options = {"temperature": temperature, "seed": seed}
    for title, needed, draw in parts:
        if not set(needed) <= has.models.keys():
            left_out.append(f'"{title}"')
            continue
        try:
            text, pictures = draw(has, album, options)
        except InvalidInputError as error:
            shown.missing.append(f"{title}: {error}")
        else:
            shown.sections.append(Section(title, text, pictures))
    if left_out:
        said = f"For want of these models there is no {', '.join(left_out)}."
        shown.missing.append(said)
    return shown


def _predicted(run, dataset, teacher, missing):
    examples = dataset.test.part(0, min(len(dataset.test), _MOST_EXAMPLES))
    pairs = [(one["x"], one["y"]) for one in examples.as_numpy_iterator()]
    x, y = (np.stack(values) for values in zip(*pairs, strict=True))
    if len(y) < len(dataset.test):
        missing.append(
            f"What the models do is shown on the first {len(y):,} of "
            f"{len(dataset.test):,} test examples."
        )
    has = Models({}, {}, {}, x, y, dataset.class_names)
    paths = dict(run.models)
    if teacher is not None and _is_of(run, teacher, missing):
        paths["teacher"] = Path(teacher)
    for role, path in paths.items():
        try:
            _add(has, role, path)
        except Exception as error:
            # Keras raises whatever its zip, JSON or HDF5 reader met first.
            said = str(error).splitlines() or [repr(error)]
            missing.append(f"{path.name} is not shown: {said[0]}")
    return has


def _is_of(run, teacher, missing):
    """Whether it is the teacher that the run says it learnt from."""
    digest = run.settings.get("teacher")
    if digest in (None, hashlib.sha256(Path(teacher).read_bytes()).hexdigest()):
        return True
    missing.append(
        f"{Path(teacher).name} is not the teacher of this run: it is not shown."
    )
    return False


def _add(has, role, path):
    model = keras.models.load_model(path)
    check_inputs("keras-kd report", model, has.x)
    head = find_head(model)
    outputs = outputs_of(model, has.x)
    if max(2, outputs.shape[-1]) != len(has.class_names):
        raise ValueError(
            f"it has {outputs.shape[-1]} classes, the data {len(has.class_names)}."
        )
    has.logits[role] = np.asarray(logits_of(outputs, head))
    has.chosen[role] = decide(outputs, head.activation)
    has.models[role] = model


def outputs_of(model, x):
    """What a model gives for all of some inputs.

    `predict` would compile a function for each model, and warn of so many.

    Args:
        model: a Keras model of one output.
        x: array `(n, ...)`, n > 0.

    Returns:
        Float array `(n, num_classes)`.
    """
    parts = (x[start : start + _BATCH_SIZE] for start in range(0, len(x), _BATCH_SIZE))
    outputs = [model(part, training=False) for part in parts]
    return np.concatenate([keras.ops.convert_to_numpy(one) for one in outputs])

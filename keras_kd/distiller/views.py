"""Whether teacher and student see the same of each example."""

import warnings

import keras

from keras_kd._checks import invalid
from keras_kd.outputs import layer_paths

# All that Keras has of the kind; dropout and noise change no picture.
_AUGMENTING = tuple(
    kind
    for name, kind in vars(keras.layers).items()
    if name.startswith("Random") or name in ("AugMix", "CutMix", "MixUp", "RandAugment")
)


def warn_of_own_views(where, students, teacher=None):
    """Warns of augmentation inside a student, which nobody else runs.

    Args:
        where: str, see `invalid`.
        students: list of Keras models.
        teacher: None, or a `Teacher`; one that follows its student may see another
            view.
    """
    if teacher is not None and teacher.state is not None:
        return
    names = [name for student in students for name in _augmenting_layers(student)]
    if not names:
        return
    warning = invalid(
        where,
        "the same view of each example for all models",
        f"random layers inside the student: {', '.join(map(repr, names))}",
        "The other models are given the example as it was before them. Build the "
        "student without these layers, and augment the data: "
        "data.map(lambda x, y: (augment(x, training=True), y)), where augment is a "
        "keras.Sequential of them.",
    )
    # The caller of the distiller's constructor.
    warnings.warn(str(warning), UserWarning, stacklevel=4)


def _augmenting_layers(model):
    """The paths of the outermost ones."""
    found = []
    for path, layer in layer_paths(model).items():
        # Other libraries name theirs so, too.
        is_random = type(layer).__name__.startswith("Random")
        if isinstance(layer, _AUGMENTING) or is_random:
            is_inside = any(path.startswith(f"{outer}/") for outer in found)
            found += [] if is_inside else [path]
    return found

"""The teacher's weights in the student's shapes."""

import numpy as np
from keras import layers

from keras_kd.students.shrinking.scaling import cannot_scale


def copy_weights(pairs, analysis, kept):
    """Gives each layer of the student the part of the teacher's weights that it keeps.

    Args:
        pairs: list of `(teacher's layer, student's layer)`.
        analysis: `Analysis`.
        kept: `Kept`.
    """
    for layer, copy in pairs:
        scaling = analysis.scalings[id(layer)]
        axes_of = {id(weight): axes for weight, axes in scaling.weights}
        weights = getattr(layer, "weights", [])
        if len(weights) != len(getattr(copy, "weights", [])):
            raise cannot_scale(layer, "its copy has other weights")
        for weight, own in zip(weights, getattr(copy, "weights", []), strict=True):
            value = np.asarray(weight)
            for axis, channels in enumerate(axes_of.get(id(weight), ())):
                if channels is not None:
                    value = value.take(kept.positions(channels), axis=axis)
            if value.shape != tuple(own.shape):
                raise cannot_scale(
                    layer,
                    f"its weight {weight.name} of shape {tuple(weight.shape)} has no "
                    "axes in its rule",
                )
            own.assign(value)


def copy_statistics(pairs):
    """Gives `Normalization` layers, which do not learn, the teacher's statistics."""
    for layer, copy in pairs:
        if isinstance(layer, layers.Normalization) and layer.weights:
            for weight, own in zip(layer.weights, copy.weights, strict=True):
                own.assign(weight)
            copy.finalize_state()

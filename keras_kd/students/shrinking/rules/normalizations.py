"""Layers with one weight for each channel."""

import keras
from keras import layers

from keras_kd.students.shrinking.rules.convolutions import same_in_all
from keras_kd.students.shrinking.scaling import Scaling


def normalization(call):
    """Weights along the normalised axes."""
    axes, given = call.inputs[0].axes, call.layer.axis
    places = given if isinstance(given, (list, tuple)) else (given,)
    along = tuple(axes[place] for place in places)
    return Scaling(
        outputs=[axes], weights=[(weight, along) for weight in call.layer.weights]
    )


def group_normalization(call):
    """The number of groups stays."""
    layer, axes = call.layer, call.inputs[0].axes
    if 1 < layer.groups < (call.inputs[0].shape[layer.axis] or 0):
        same_in_all(call.ledger, axes[layer.axis], layer.groups)
    along = (axes[layer.axis],)
    config = {}
    if along[0] is not None and layer.groups == len(along[0]):
        config = {"groups": along[0]}
    return Scaling(
        outputs=[axes],
        config=config,
        weights=[(weight, along) for weight in layer.weights],
    )


def input_normalization(call):
    """Its statistics are those of the data, so its channels stay."""
    axes = call.inputs[0].axes
    for channels in axes:
        call.ledger.fix(channels)
    return Scaling(outputs=[axes])


def parametric_relu(call):
    """One slope for each value, save along the shared axes."""
    axes = call.inputs[0].axes
    shared = call.layer.shared_axes or ()
    along = tuple(
        None if place in shared else channels
        for place, channels in enumerate(axes[1:], start=1)
    )
    return Scaling(outputs=[axes], weights=[(call.layer.alpha, along)])


def layer_scale(call):
    """ConvNeXt's factor for each channel."""
    axes, channels = call.inputs[0].axes, call.inputs[0].axes[-1]
    return Scaling(
        outputs=[axes],
        config={} if channels is None else {"projection_dim": channels},
        weights=[(call.layer.gamma, (channels,))],
    )


RULES = {
    layers.BatchNormalization: normalization,
    layers.LayerNormalization: normalization,
    layers.RMSNormalization: normalization,
    layers.GroupNormalization: group_normalization,
    layers.Normalization: input_normalization,
    layers.PReLU: parametric_relu,
}
# Keras exports no class for the layers of this module.
CONVNEXT = keras.applications.ConvNeXtTiny.__module__
NAMED = {f"{CONVNEXT}.LayerScale": layer_scale}

"""Layers and operations that move channels about and mix none."""

import math

import numpy as np
from keras import layers

from keras_kd.students.shrinking.channels import Channels
from keras_kd.students.shrinking.scaling import Scaling, cannot_scale


def same_axes(call):
    """Every axis has the channels it had."""
    return Scaling(outputs=[call.inputs[0].axes] * len(call.output_shapes))


def global_pooling(call):
    """Only the batch and the channels are left, or axes of size 1."""
    axes = call.inputs[0].axes
    if len(call.output_shapes[0]) == len(axes):
        return same_axes(call)
    place = 1 if call.layer.data_format == "channels_first" else -1
    return Scaling(outputs=[(axes[0], axes[place])])


def reduction(call):
    """Drops the reduced axes, or leaves them with size 1."""
    tensor, given = call.inputs[0], call.layer.axis
    rank = len(tensor.axes)
    places = range(rank) if given is None else np.atleast_1d(given)
    places = {int(place) % rank for place in places}
    if call.layer.keepdims:
        axes = [None if n in places else c for n, c in enumerate(tensor.axes)]
    else:
        axes = [c for n, c in enumerate(tensor.axes) if n not in places]
    return Scaling(outputs=[tuple(axes)])


def permute(call):
    """Axes in another order, the batch first."""
    axes = call.inputs[0].axes
    return Scaling(outputs=[(axes[0], *(axes[place] for place in call.layer.dims))])


def transpose(call):
    """Axes in another order."""
    axes = call.inputs[0].axes
    order = call.layer.axes or range(len(axes))[::-1]
    return Scaling(outputs=[tuple(axes[place] for place in order)])


def repeat_vector(call):
    """A new axis after the batch."""
    batch, *rest = call.inputs[0].axes
    return Scaling(outputs=[(batch, None, *rest)])


def flatten(call):
    """The channels once for each position."""
    return Scaling(outputs=[_reshaped(call, call.output_shapes[0])])


def reshape(call):
    """Follows the channels into the last axis, or into one of their own size."""
    axes = _reshaped(call, call.output_shapes[0])
    return Scaling(
        outputs=[axes],
        config={"target_shape": _target(call.layer.target_shape, axes[1:])},
    )


def reshape_operation(call):
    """`keras.ops.reshape`, which names the batch too."""
    axes = _reshaped(call, call.output_shapes[0])
    return Scaling(
        outputs=[axes], config={"newshape": _target(call.layer.newshape, axes)}
    )


def resized_axes(call):
    """`squeeze` and `expand_dims`: only axes of size 1 come and go."""
    return Scaling(outputs=[_reshaped(call, call.output_shapes[0])])


def _target(given, axes):
    return tuple(
        size if channels is None or size == -1 else channels
        for size, channels in zip(given, axes, strict=True)
    )


def _reshaped(call, shape):
    """The axes of the first input after it took another shape."""
    tensor = call.inputs[0]
    scaling = [n for n, channels in enumerate(tensor.axes) if channels is not None]
    axes = [None] * len(shape)
    if not scaling:
        return tuple(axes)
    before = [n for n, size in enumerate(tensor.shape) if size != 1]
    after = [n for n, size in enumerate(shape) if size != 1]
    if [tensor.shape[n] for n in before] == [shape[n] for n in after]:
        for old, new in zip(before, after, strict=True):
            axes[new] = tensor.axes[old]
        return tuple(axes)
    *others, last = scaling
    for place in others:
        # Merged axes scale by one of them.
        call.ledger.fix(tensor.axes[place])
    axes[-1] = _into_last(call, tensor, last, shape[-1])
    return tuple(axes)


def _into_last(call, tensor, place, size):
    """The channels of axis `place` in the order of a new last axis.

    Along the flattened values the channels come again and again in the same order, and
    so does the new last axis: what meets is one channel.
    """
    inside = tensor.shape[place + 1 :]
    if None in inside or size is None:
        raise cannot_scale(call.layer, "its shape is not known")
    pattern = tensor.axes[place].repeat(math.prod(inside))
    pattern = pattern.tile(math.lcm(len(pattern), size) // len(pattern))
    first = pattern[:size]
    call.ledger.unify(pattern, first.tile(len(pattern) // size))
    return first


def get_item(call):
    """Slices of axes that do not scale."""
    tensor, key = call.inputs[0], call.argument(1, "key")
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    missing = len(tensor.axes) - sum(k is not None and k is not ... for k in keys)
    if ... not in keys:
        keys.append(...)
    spot = keys.index(...)
    keys[spot : spot + 1] = [slice(None)] * missing
    axes, left = [], list(tensor.axes)
    for k in keys:
        if k is None:
            axes.append(None)
            continue
        channels = left.pop(0)
        if channels is not None and not _is_all(k, len(channels)):
            raise cannot_scale(call.layer, "it takes some channels by their place")
        if isinstance(k, slice):
            axes.append(channels)
        elif not isinstance(k, int):
            raise cannot_scale(call.layer, "it is indexed by a tensor")
    return Scaling(outputs=[tuple(axes)])


def _is_all(key, size):
    return isinstance(key, slice) and key.indices(size) == (0, size, 1)


def split(call):
    """Equal parts along an axis, each with the same places."""
    tensor, parts = call.inputs[0], call.layer.indices_or_sections
    channels = tensor.axes[call.layer.axis]
    if channels is None:
        return same_axes(call)
    if not isinstance(parts, int):
        raise cannot_scale(call.layer, "it splits the channels at given places")
    size = len(channels) // parts
    call.ledger.unify(channels, channels[:size].tile(parts))
    axes = list(tensor.axes)
    axes[call.layer.axis] = Channels(channels.ids[:size])
    return Scaling(outputs=[tuple(axes)] * parts)


_SAME = (
    layers.Activation,
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.CenterCrop,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Cropping3D,
    layers.Dropout,
    layers.ELU,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.LeakyReLU,
    layers.Masking,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.RandomBrightness,
    layers.RandomContrast,
    layers.RandomCrop,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.ReLU,
    layers.Rescaling,
    layers.Resizing,
    layers.Softmax,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.UnitNormalization,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.UpSampling3D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
)
_GLOBAL = (
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)

RULES = {
    **dict.fromkeys(_SAME, same_axes),
    **dict.fromkeys(_GLOBAL, global_pooling),
    layers.Flatten: flatten,
    layers.Permute: permute,
    layers.RepeatVector: repeat_vector,
    layers.Reshape: reshape,
}
OPERATIONS = {
    **dict.fromkeys(("Max", "Mean", "Min", "Std", "Sum", "Var"), reduction),
    "ExpandDims": resized_axes,
    "GetItem": get_item,
    "Reshape": reshape_operation,
    "Split": split,
    "Squeeze": resized_axes,
    "Transpose": transpose,
}

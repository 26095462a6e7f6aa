"""Convolutions of every kind."""

from keras import layers

from keras_kd.students.shrinking.scaling import Scaling


def channel_axis(layer):
    """The axis of the channels of an image layer's input and output."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def replaced(axes, axis, channels):
    """The axes with other channels along one."""
    axes = list(axes)
    axes[axis] = channels
    return tuple(axes)


def bias(layer, channels):
    """The weights entry of a layer's bias, if it has one."""
    return [(layer.bias, (channels,))] if layer.use_bias else []


def convolution(call):
    """New filters; grouped ones keep the number of groups, depthwise ones do not."""
    layer, axis = call.layer, channel_axis(call.layer)
    incoming = call.inputs[0].axes[axis]
    config, kernel_in = {}, incoming
    if incoming is not None and layer.groups == len(incoming) > 1:
        filters = incoming.repeat(layer.filters // layer.groups)
        config, kernel_in = {"groups": incoming}, None
    else:
        filters = call.ledger.new(layer.filters)
        if layer.groups > 1:
            same_in_all(call.ledger, filters, layer.groups)
            same_in_all(call.ledger, incoming, layer.groups)
            per_group = incoming and len(incoming) // layer.groups
            kernel_in = incoming and incoming[:per_group]
    return Scaling(
        outputs=[replaced(call.inputs[0].axes, axis, filters)],
        config={"filters": filters, **config},
        weights=[
            (layer.kernel, (*(None,) * layer.rank, kernel_in, filters)),
            *bias(layer, filters),
        ],
    )


def same_in_all(ledger, channels, groups):
    """Keeps the same places in each of `groups` equal parts of an axis."""
    if channels is not None:
        ledger.unify(channels, channels[: len(channels) // groups].tile(groups))


def transposed_convolution(call):
    """New filters."""
    layer, axis = call.layer, channel_axis(call.layer)
    incoming = call.inputs[0].axes[axis]
    filters = call.ledger.new(layer.filters)
    return Scaling(
        outputs=[replaced(call.inputs[0].axes, axis, filters)],
        config={"filters": filters},
        weights=[
            (layer.kernel, (*(None,) * layer.rank, filters, incoming)),
            *bias(layer, filters),
        ],
    )


def depthwise_convolution(call):
    """The channels it is given, each `depth_multiplier` times."""
    layer, axis = call.layer, channel_axis(call.layer)
    incoming = call.inputs[0].axes[axis]
    if incoming is None:
        return Scaling(outputs=[call.inputs[0].axes])
    outgoing = incoming.repeat(layer.depth_multiplier)
    return Scaling(
        outputs=[replaced(call.inputs[0].axes, axis, outgoing)],
        weights=[
            (layer.kernel, (*(None,) * layer.rank, incoming, None)),
            *bias(layer, outgoing),
        ],
    )


def separable_convolution(call):
    """New filters, from the channels it is given, each `depth_multiplier` times."""
    layer, axis = call.layer, channel_axis(call.layer)
    incoming = call.inputs[0].axes[axis]
    filters = call.ledger.new(layer.filters)
    between = incoming and incoming.repeat(layer.depth_multiplier)
    space = (None,) * layer.rank
    return Scaling(
        outputs=[replaced(call.inputs[0].axes, axis, filters)],
        config={"filters": filters},
        weights=[
            (layer.depthwise_kernel, (*space, incoming, None)),
            (layer.pointwise_kernel, (*space, between, filters)),
            *bias(layer, filters),
        ],
    )


RULES = {
    **dict.fromkeys((layers.Conv1D, layers.Conv2D, layers.Conv3D), convolution),
    **dict.fromkeys(
        (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose),
        transposed_convolution,
    ),
    **dict.fromkeys(
        (layers.DepthwiseConv1D, layers.DepthwiseConv2D), depthwise_convolution
    ),
    **dict.fromkeys(
        (layers.SeparableConv1D, layers.SeparableConv2D), separable_convolution
    ),
}

"""Layers and operations on several tensors: their channels become one, or follow."""

import numpy as np
from keras import layers

from keras_kd.students.shrinking.channels import Channels
from keras_kd.students.shrinking.scaling import Scaling, Traced, cannot_scale


def elementwise(call):
    """Axes that meet have the same channels; those of size 1 are broadcast."""
    _check_constants(call)
    rank = len(call.output_shapes[0])
    axes = []
    for place in range(-rank, 0):
        met = [t for t in call.inputs if len(t.shape) >= -place]
        wide = [t for t in met if t.shape[place] != 1] or met
        axes.append(_met(call.ledger, [t.axes[place] for t in wide]))
    return Scaling(outputs=[tuple(axes)])


def _met(ledger, channels):
    if any(c is None for c in channels):
        for c in channels:
            ledger.fix(c)
        return None
    for c in channels[1:]:
        ledger.unify(channels[0], c)
    return channels[0]


def _check_constants(call):
    """Numbers go with every channel; arrays have values for channels that may go."""
    rank = len(call.output_shapes[0])
    for argument in (*call.args, *call.kwargs.values()):
        if not hasattr(argument, "shape") or isinstance(argument, Traced):
            continue
        shape = np.shape(argument)
        for place in range(-len(shape), 0):
            scales = any(
                len(t.axes) >= -place and t.axes[place] is not None for t in call.inputs
            )
            if shape[place] != 1 and scales and -place <= rank:
                raise cannot_scale(call.layer, "it has a constant for each channel")


def concatenate(call):
    """The channels of all, one after the other."""
    place = call.layer.axis
    tensors = call.inputs
    axes = [
        _met(call.ledger, [t.axes[n] for t in tensors])
        for n in range(len(tensors[0].axes))
        if n != place % len(tensors[0].axes)
    ]
    joined = None
    if any(t.axes[place] is not None for t in tensors):
        parts = [t.axes[place] or call.ledger.fixed(t.shape[place]) for t in tensors]
        joined = Channels(np.concatenate([part.ids for part in parts]))
    axes.insert(place % len(tensors[0].axes), joined)
    return Scaling(outputs=[tuple(axes)])


def matmul(call):
    """`(..., a, b) @ (..., b, c)`."""
    first, second = call.inputs
    if min(len(first.shape), len(second.shape)) < 2:
        raise cannot_scale(call.layer, "one factor is a vector")
    _met(call.ledger, [first.axes[-1], second.axes[-2]])
    outer, others = first.axes[:-2], second.axes[:-2]
    if len(outer) == len(others):
        outer = [_met(call.ledger, pair) for pair in zip(outer, others, strict=True)]
    elif any(channels is not None for channels in (*outer, *others)):
        raise cannot_scale(call.layer, "its factors differ in rank")
    else:
        outer = max(outer, others, key=len)
    return Scaling(outputs=[(*outer, first.axes[-2], second.axes[-1])])


_OF_TWO = (
    "Add",
    "Arctan2",
    "Average",
    "Divide",
    "DivideNoNan",
    "Equal",
    "Greater",
    "GreaterEqual",
    "Less",
    "LessEqual",
    "LogicalAnd",
    "LogicalOr",
    "Maximum",
    "Minimum",
    "Mod",
    "Multiply",
    "NotEqual",
    "Power",
    "Subtract",
    "TrueDivide",
    "Where",
)
RULES = {
    **dict.fromkeys(
        (
            layers.Add,
            layers.Average,
            layers.Maximum,
            layers.Minimum,
            layers.Multiply,
            layers.Subtract,
        ),
        elementwise,
    ),
    layers.Concatenate: concatenate,
}
OPERATIONS = {
    **dict.fromkeys(_OF_TWO, elementwise),
    "Concatenate": concatenate,
    "Matmul": matmul,
}

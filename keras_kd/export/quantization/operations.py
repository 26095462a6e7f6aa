"""Operations that are not layers, such as the sum in `x + shortcut`, as layers."""

import keras
import numpy as np
from keras import activations

from keras_kd._keras_internals import operation_name
from keras_kd.export.quantization.affine import QuantizedAffine
from keras_kd.export.quantization.merging import (
    QuantizedAdd,
    QuantizedMaximum,
    QuantizedMinimum,
    QuantizedMultiply,
    QuantizedSubtract,
)
from keras_kd.export.quantization.unweighted import QuantizedActivation

_MERGING = {
    "Add": QuantizedAdd,
    "Maximum": QuantizedMaximum,
    "Minimum": QuantizedMinimum,
    "Multiply": QuantizedMultiply,
    "Subtract": QuantizedSubtract,
}
_ACTIVATIONS = {
    "Gelu": activations.gelu,
    "HardSigmoid": activations.hard_sigmoid,
    "HardSilu": activations.hard_silu,
    "Relu": activations.relu,
    "Relu6": activations.relu6,
    "Sigmoid": activations.sigmoid,
    "Silu": activations.silu,
    "Tanh": activations.tanh,
}


def takes_activation(operation):
    """Whether a ReLU behind the operation becomes part of it in the file."""
    names = ("Add", "Divide", "Multiply", "Subtract", "TrueDivide")
    return operation_name(operation) in names


def activation_of(operation):
    """The activation function that an operation is, or None."""
    return _ACTIVATIONS.get(operation_name(operation))


def quantized_operation(node, quantise_output):
    """The layer to take the place of an operation.

    Args:
        node: the `Node` at which the operation runs.
        quantise_output: bool, see `QuantizedOutput`.

    Returns:
        `(new, weights)`: a layer that takes the operation's tensors, several as a list,
        and what its weights shall be; None if a file cannot compute it in integers.
    """
    operation = node.operation
    options = {
        "name": operation.name,
        "dtype": "float32",
        "quantise_output": quantise_output,
    }
    if activation_of(operation) is not None:
        return QuantizedActivation(activation_of(operation), **options), {}
    first, *others = node.args
    if len(others) != 1:
        return None
    if all(isinstance(tensor, keras.KerasTensor) for tensor in (first, others[0])):
        same_rank = len(first.shape) == len(others[0].shape)
        kind = _MERGING.get(operation_name(operation))
        return (kind(**options), {}) if kind and same_rank else None
    return _with_constant(operation_name(operation), first, others[0], options)


def _with_constant(name, first, second, options):
    """Arithmetic of a tensor with a constant, as x · scale + offset."""
    tensor_first = isinstance(first, keras.KerasTensor)
    tensor, constant = (first, second) if tensor_first else (second, first)
    channels = tensor.shape[-1:]
    try:
        constant = np.broadcast_to(np.asarray(constant, "float64"), channels)
    except (TypeError, ValueError):
        return None
    scale, offset = np.ones(channels), np.zeros(channels)
    if name == "Add":
        offset = constant
    elif name == "Subtract":
        scale, offset = (scale, -constant) if tensor_first else (-scale, constant)
    elif name == "Multiply":
        scale = constant
    elif name in ("Divide", "TrueDivide") and tensor_first and constant.all():
        scale = 1.0 / constant
    else:
        return None
    weights = {"scale": scale.astype("float32"), "offset": offset.astype("float32")}
    return QuantizedAffine(constant=True, **options), weights

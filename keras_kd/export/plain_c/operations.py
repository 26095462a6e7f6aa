"""The operation of a .tflite file that a kernel is called for."""

from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_kd._checks import invalid
from keras_kd.export import _tflite
from keras_kd.export._graph import operation_layers

WHERE = "keras_kd.export.write_plain_c"


@dataclass(frozen=True, eq=False)
class Operation:
    """One step of the file.

    Attributes:
        model: the schema's `ModelT`.
        operator: its `OperatorT`.
        name: str, such as "CONV_2D".
        layer: str, of Keras, "" if the file does not tell.
        table: None, or the int8 array `(256,)` of a function of one number.
    """

    model: object
    operator: object
    name: str
    layer: str
    table: np.ndarray | None = field(default=None)

    @property
    def options(self):
        """The schema's options of the operation, or None."""
        return self.operator.builtinOptions

    @property
    def inputs(self):
        """Numbers of tensors, without those left out."""
        return tuple(_tflite.listed(self.operator.inputs))

    @property
    def output(self):
        """The number of its first output."""
        return int(self.operator.outputs[0])

    def tensor(self, number):
        """The schema's `TensorT`."""
        return self.model.subgraphs[0].tensors[number]

    def shape(self, number):
        """A tuple of int."""
        return _tflite.shape(self.tensor(number))

    def scale(self, number):
        """`(scale, zero_point)`, the scale rounded to float32 as the file has it."""
        return _tflite.scale_of(self.tensor(number))

    def scales(self, number):
        """The scale, or one for each channel."""
        return np.asarray(self.tensor(number).quantization.scale, "float64")

    def is_constant(self, number):
        """Whether the tensor's values are stored in the file."""
        return bool(_tflite.stored_bytes(self.model, self.tensor(number)))

    def constant(self, number):
        """The values of a constant, flat."""
        tensor = self.tensor(number)
        content = self.model.buffers[tensor.buffer].data
        if content is None:
            raise self.refused("a constant is computed when the file runs")
        return np.frombuffer(bytes(bytearray(content)), _tflite.dtype(tensor))

    def refused(self, reason):
        """The error for an operation that has no kernel."""
        layer = f'layer "{self.layer}"' if self.layer else "a layer without a name"
        return invalid(
            WHERE,
            "operations that there are kernels for",
            f"{self.name} of {layer}: {reason}",
            "Replace the layer, or use TensorFlow Lite Micro.",
        )


def operations(model):
    """The operations of a model's one graph, in order.

    Args:
        model: the schema's `ModelT`.
    """
    graph = model.subgraphs[0]
    layers = operation_layers(model, graph)
    return [
        Operation(
            model, operator, _tflite.operation_name(model, operator), (*names, "")[0]
        )
        for operator, names in zip(graph.operators, layers, strict=True)
    ]


def clipping(operation):
    """The range of the output that its activation leaves, for `kd_range`.

    Args:
        operation: an `Operation` with a fused activation.

    Returns:
        A dict.
    """
    scale, zero_point = operation.scale(operation.output)
    kinds = schema.ActivationFunctionType
    limits = {
        kinds.NONE: (None, None),
        kinds.RELU: (0, None),
        kinds.RELU6: (0, 6),
        kinds.RELU_N1_TO_1: (-1, 1),
    }
    kind = operation.options.fusedActivationFunction if operation.options else 0
    if kind not in limits:
        raise operation.refused("its activation has no kernel")
    least, most = (
        edge if limit is None else zero_point + _rounded(limit, scale)
        for limit, edge in zip(limits[kind], (-128, 127), strict=True)
    )
    return {
        "zero_point": zero_point,
        "least": max(least, -128),
        "most": min(most, 127),
    }


def _rounded(value, scale):
    """Half away from zero, of the float32 quotient."""
    quotient = float(np.float32(value) / np.float32(scale))
    return int(np.copysign(np.floor(abs(quotient) + 0.5), quotient))

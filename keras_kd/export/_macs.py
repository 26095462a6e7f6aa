"""The multiplications of a .tflite file's operations."""

import math

from keras_kd.export import _tflite

# What a weight of these dimensions is multiplied with: every number that the operation
# makes, or every one that it takes.
_FOR_EACH_OUTPUT = {
    "CONV_2D": slice(1, 4),
    "CONV_3D": slice(0, 4),
    "DEPTHWISE_CONV_2D": slice(1, 3),
    "FULLY_CONNECTED": slice(1, 2),
}
_FOR_EACH_INPUT = {
    "CONV_3D_TRANSPOSE": slice(0, 4),
    "TRANSPOSE_CONV": slice(0, 3),
}
_RECURRENT = {
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "LSTM",
    "RNN",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
}


def macs(name, operator, inputs, outputs):
    """Multiplications with accumulation that an operation does once.

    Those of convolutions, dense layers, products of matrices and recurrent cells; what
    is done number by number is not counted, as usual. Padding counts like data.

    Args:
        name: str, see `_tflite.operation_name`.
        operator: the schema's `OperatorT`.
        inputs: list of its tensors, without those left out.
        outputs: list of its tensors.

    Returns:
        Int.
    """
    shapes = [_tflite.shape(tensor) for tensor in inputs]
    made = sum(map(_tflite.elements, outputs))
    if name in _FOR_EACH_OUTPUT:
        return made * math.prod(shapes[1][_FOR_EACH_OUTPUT[name]])
    if name in _FOR_EACH_INPUT:
        return math.prod(shapes[2]) * math.prod(shapes[1][_FOR_EACH_INPUT[name]])
    if name == "BATCH_MATMUL":
        return made * shapes[0][-2 if operator.builtinOptions.adjX else -1]
    if name in _RECURRENT:
        # Each matrix of weights once for each step of each example.
        steps = math.prod(shapes[0][:-1])
        return steps * sum(math.prod(shape) for shape in shapes[1:] if len(shape) == 2)
    return 0

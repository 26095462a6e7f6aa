"""What TensorFlow Lite Micro has, and the memory that it takes in all.

As of tflite-micro of October 2026 (PyPI 0.dev20261023182759): its reference kernels, on
a 64-bit processor, whose pointers are the largest.
"""

import math

from keras_kd.export import _tflite
from keras_kd.export._arena import Plan, arena_bytes

VERSION = "October 2026"
_NAMES = """
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL
BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION
CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV
DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV
FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF
L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT
LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX
REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2
ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT
SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH
TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE
ZEROS_LIKE
"""
OPERATIONS = frozenset(_NAMES.split())
_SPELLED_OTHERWISE = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}

# Bytes that persist: of the interpreter, a tensor, an input or output, an operation.
_INTERPRETER, _TENSOR, _BORDER, _OPERATION = 640, 24, 96, 208
# Bytes while it plans: of a tensor, and of one that is placed.
_PLANNED_TENSOR, _PLACED = 32, 40
# Tables of a function's values, for the integers of a type.
_TABLES = {"int8": 272, "int16": 2096}
_WITH_TABLES = {"ELU", "EXP", "LOG", "LOG_SOFTMAX", "SOFTMAX"}


def resolver_method(name):
    """The method of `MicroMutableOpResolver` that adds an operation.

    Args:
        name: str, one of `OPERATIONS`.

    Example:
        >>> resolver_method("CONV_2D"), resolver_method("PADV2")
        ('AddConv2D', 'AddPadV2')
    """
    words = (
        word if word[0].isdigit() else word.capitalize() for word in name.split("_")
    )
    return "Add" + _SPELLED_OTHERWISE.get(name, "".join(words))


def whole_arena_bytes(model):
    """An arena that is enough: activations, what persists, and room to plan.

    A bound on what was measured (see `Inspection.micro_arena_bytes`), not a sum of what
    each kernel asks for, which differs between processors.

    Args:
        model: the schema's `ModelT`.
    """
    plan = Plan(model)
    scratch = sum(map(len, plan.scratch.values()))
    tensors = scratch + sum(map(len, plan.tensors))
    to_plan = _PLANNED_TENSOR * tensors + _PLACED * (len(plan.placed()) + 1)
    planned = max(arena_bytes(model), to_plan)
    return -(-(planned + _persistent_bytes(model)) // 16) * 16


def _persistent_bytes(model):
    total = _INTERPRETER
    for graph in model.subgraphs:
        borders = _tflite.listed(graph.inputs) + _tflite.listed(graph.outputs)
        total += _TENSOR * len(graph.tensors) + _BORDER * len(borders)
        total += sum(
            _tflite.elements(tensor) * 8
            for tensor in graph.tensors
            if tensor.isVariable
        )
        for operator in graph.operators or ():
            inputs = [graph.tensors[index] for index in _tflite.listed(operator.inputs)]
            name = _tflite.operation_name(model, operator)
            total += _OPERATION + _kernel_bytes(name, inputs)
    return total


def _kernel_bytes(name, inputs):
    """What kernels keep that grows with the model."""
    if name in _WITH_TABLES:
        return _TABLES.get(_tflite.dtype(inputs[0]), 0)
    if name == "BATCH_MATMUL":
        # Copies with their axes exchanged.
        return sum(4 * math.prod(_tflite.shape(tensor)) + 64 for tensor in inputs)
    if name == "DEPTHWISE_CONV_2D":
        return 8 * _tflite.shape(inputs[1])[-1]
    if name in ("CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"):
        return 8 * _tflite.shape(inputs[1])[0]  # a multiplier and a shift a channel
    return 0

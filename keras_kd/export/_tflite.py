"""Reading a .tflite file: its graph, and what its numbers stand for."""

import math
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from keras_kd._checks import invalid

_OPERATIONS = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()
}
_DTYPES = {
    code: name.lower()
    for name, code in vars(schema.TensorType).items()
    if name.isupper()
}
FLOATS = {"float16", "bfloat16", "float32", "float64"}
QUANTISED = {"int2", "int4", "uint4", "int8", "uint8", "int16", "uint16"}

WEIGHTED = {"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}


def read(where, path):
    """The content of a .tflite file.

    Args:
        where: str, see `invalid`.
        path: `str` or `Path`.

    Returns:
        `(content, model)`: bytes, and the schema's `ModelT`.

    Raises:
        ValueError: There is no such file, or it is damaged.
    """
    try:
        content = Path(path).read_bytes()
        # The schema's Python reads anything, for ever if need be; LiteRT checks it.
        Interpreter(
            model_content=content or b"empty",
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise damaged(where, path, error) from error
    return content, unpacked(content)


def unpacked(content):
    """The schema's `ModelT` of a file's bytes, with all weights in its buffers.

    Some writers keep large weights behind the flatbuffer and leave only their place in
    the buffer (`offset`, `size`), and so for the options of custom operations. Here
    they are inside, where the schema's own code and old runtimes look for them.

    Args:
        content: bytes of a file that LiteRT can read.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    behind = np.frombuffer(content, np.uint8)
    for buffer in model.buffers:
        # 1 stands for a place that is not decided yet.
        if buffer.offset > 1:
            buffer.data = behind[buffer.offset : buffer.offset + buffer.size]
            buffer.offset = buffer.size = 0
    for graph in model.subgraphs:
        for operator in graph.operators or ():
            start = operator.largeCustomOptionsOffset
            if start > 1:
                end = start + operator.largeCustomOptionsSize
                operator.customOptions = behind[start:end]
                operator.largeCustomOptionsOffset = 0
                operator.largeCustomOptionsSize = 0
    return model


def damaged(where, path, error):
    """The error for a file that cannot be read, because of another one."""
    reason = (str(error).splitlines() or ["damaged"])[0]
    return invalid(
        where,
        "a whole .tflite file",
        f'"{path}" ({reason})',
        "Make one with keras_kd.export.convert.",
    )


def operation_name(model, operator):
    """Such as "CONV_2D", and "CUSTOM:FlexErf" for what is not builtin."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _OPERATIONS.get(number, str(number))
    return f"CUSTOM:{code.customCode.decode()}" if name == "CUSTOM" else name


def dtype(tensor):
    """Such as "float32" or "int4"."""
    return _DTYPES.get(tensor.type, str(tensor.type))


def shape(tensor):
    """A tuple of int, with 1 for sizes that the file leaves open."""
    return tuple(max(int(size), 0) for size in _sizes(tensor.shape))


def open_shape(tensor):
    """A tuple of int, with None for sizes that the file leaves open."""
    signature = _sizes(tensor.shapeSignature)
    sizes = signature if len(signature) else _sizes(tensor.shape)
    return tuple(None if size < 0 else int(size) for size in sizes)


def elements(tensor):
    """How many numbers the tensor has."""
    return math.prod(shape(tensor))


def stored_bytes(model, tensor):
    """The bytes of the tensor's values in the file, 0 if it is computed."""
    data = model.buffers[tensor.buffer].data
    return 0 if data is None else len(data)


def is_scaled(tensor):
    """Whether the tensor's numbers are quantised, with a scale."""
    return tensor.quantization is not None and bool(
        len(_sizes(tensor.quantization.scale))
    )


def scale_of(tensor):
    """`(scale, zero_point)` of a tensor that has one of each, else `(None, None)`."""
    if not is_scaled(tensor) or len(tensor.quantization.scale) != 1:
        return None, None
    zero_points = _sizes(tensor.quantization.zeroPoint)
    zero_point = int(zero_points[0]) if len(zero_points) else 0
    return float(tensor.quantization.scale[0]), zero_point


def is_hybrid(name, first="", second=""):
    """Whether an operation of such input types multiplies floats by integer weights."""
    return name in WEIGHTED and first in FLOATS and second in QUANTISED


def called_graphs(operator):
    """The numbers of the subgraphs that a control operation runs, in their order."""
    options = operator.builtinOptions
    names = {
        schema.WhileOptionsT: ("condSubgraphIndex", "bodySubgraphIndex"),
        schema.IfOptionsT: ("thenSubgraphIndex", "elseSubgraphIndex"),
        schema.CallOnceOptionsT: ("initSubgraphIndex",),
    }
    return [getattr(options, name) for name in names.get(type(options), ())]


def listed(indices):
    """Tensor numbers as int, without those of inputs that were left out."""
    return [int(index) for index in _sizes(indices) if index >= 0]


def _sizes(values):
    return () if values is None else values

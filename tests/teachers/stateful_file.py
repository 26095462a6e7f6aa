"""A .tflite file that remembers: a recurrent operation with a variable tensor."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

INPUT = np.array([[0.5, -1.0], [0.25, 2.0]], "float32")
RECURRENT = np.array([[1.0, 0.0], [0.5, 1.0]], "float32")
BIAS = np.array([0.1, -0.2], "float32")


def write_recurrent(path, *, batch=1):
    """state = INPUT · x + RECURRENT · state + BIAS, as Keras 2 writes its LSTMs.

    Args:
        path: `Path` to write to.
        batch: int, examples that it takes at once.

    Returns:
        `path`.
    """
    model = schema.ModelT()
    model.version = 3
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RNN
    model.operatorCodes = [code]
    # The first buffer stands for no content.
    contents = [b"", *(array.tobytes() for array in (INPUT, RECURRENT, BIAS))]
    model.buffers = [_buffer(content) for content in contents]
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("x", (batch, 2), 0),
        _tensor("input", (2, 2), 1),
        _tensor("recurrent", (2, 2), 2),
        _tensor("bias", (2,), 3),
        _tensor("state", (batch, 2), 0, is_variable=True),
        _tensor("y", (batch, 2), 0),
    ]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2, 3, 4], [5]
    operator.builtinOptionsType = schema.BuiltinOptions.RNNOptions
    operator.builtinOptions = schema.RNNOptionsT()
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [5]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _buffer(content):
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, "uint8") if content else None
    return buffer


def _tensor(name, shape, buffer, *, is_variable=False):
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
    tensor.type, tensor.isVariable = schema.TensorType.FLOAT32, is_variable
    return tensor

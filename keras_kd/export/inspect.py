"""What is in a .tflite file, and what it costs to run."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

from keras_kd.export import _tflite
from keras_kd.export._arena import arena_bytes
from keras_kd.export._graph import iterations, operation_layers
from keras_kd.export._macs import macs
from keras_kd.export._micro import whole_arena_bytes

WHERE = "keras_kd.export.inspect"


@dataclass(frozen=True)
class Tensor:
    """An array that an operation of a .tflite file takes or makes.

    Attributes:
        name: str, in the file.
        shape: tuple of int; None for a size that is not known before the file runs.
        dtype: str, such as "float32", "int8" or "int4".
        is_constant: bool, whether its values are stored in the file.
        is_quantised: bool, whether its integers stand for real numbers, with a scale.
        scale: float, real value = (stored - zero_point) · scale; None if it is not
            quantised, or has a scale for each channel.
        zero_point: int, or None likewise.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    is_constant: bool
    is_quantised: bool
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True)
class Operation:
    """One step of a .tflite file.

    Attributes:
        name: str, such as "CONV_2D"; "CUSTOM:name" for what is not builtin.
        layer: str, the path of the Keras layer whose result it makes; where the file
            does not tell, of the layer before; "" where that has no name either.
        fused_layers: tuple of str, the layers that are computed in it besides.
        inputs: tuple of `Tensor`, without those left out.
        outputs: tuple of `Tensor`.
        parameters: int, numbers stored for it: weights, not shapes or axes.
        macs: int, multiplications with accumulation; of a loop, in all its passes.
        weight_bytes: int, what its constants take in the file.
        graph: int, the subgraph that it is in; 0 is the main one.
        iterations: int, how often its body runs if it is a loop, else 1; None for a
            loop whose length the file does not tell.
    """

    name: str
    layer: str
    fused_layers: tuple[str, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: int
    macs: int
    weight_bytes: int
    graph: int = 0
    iterations: int | None = 1


@dataclass(frozen=True)
class Inspection:
    """What is in a .tflite file.

    Attributes:
        file: str, its name.
        size_bytes: int, of the file.
        inputs: tuple of `Tensor`.
        outputs: tuple of `Tensor`.
        operations: tuple of `Operation`, those of loops' bodies after the main ones.
        parameters: int, weights stored in the file, each counted once; a
            BatchNormalization is mostly folded into others.
        macs: int, multiplications with accumulation of one run; a loop of unknown
            length counts as one pass.
        weight_bytes: int, what constants take in the file, each counted once.
        arena_bytes: int, memory for activations, as TensorFlow Lite Micro plans it:
            equal to the "Arena allocation head" of its recorder, with reference
            kernels, where it runs the file. What persists ("tail", some kilobytes)
            comes on top; optimised kernels may want more scratch memory.
        micro_arena_bytes: int, an arena that is enough for TensorFlow Lite Micro as a
            whole: `arena_bytes`, what persists, and room to plan, on a 64-bit
            processor; those of microcontrollers need less. A bound: a tenth above what
            convolutional files were seen to need, half above for many small operations.
        not_builtin: tuple of the `Operation`s that TFLite does not have: custom ones,
            and TensorFlow's own (Flex).
        loops: tuple of the `Operation`s that run others again and again: WHILE.
        float_islands: tuple of the `Operation`s that compute in float in a file whose
            others compute in integers. Float inputs and outputs of the file itself,
            turned at its border, are none.
    """

    file: str
    size_bytes: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    parameters: int
    macs: int
    weight_bytes: int
    arena_bytes: int
    micro_arena_bytes: int
    not_builtin: tuple[Operation, ...]
    loops: tuple[Operation, ...]
    float_islands: tuple[Operation, ...]


def inspect(path):
    """Reads what a .tflite file computes, of what size, and in what types.

    The file is not run: it may have operations that LiteRT lacks.

    Args:
        path: `str` or `Path` of any .tflite file.

    Returns:
        An `Inspection`.

    Raises:
        ValueError: There is no such file, or it is damaged.

    Example:
        >>> import keras, pathlib, tempfile
        >>> from keras_kd.export import convert
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "student.tflite")
        ...     manifest = convert(model, path, precision="float32")
        ...     found = inspect(path)
        >>> [operation.name for operation in found.operations], found.macs
        (['FULLY_CONNECTED'], 12)
    """
    content, model = _tflite.read(WHERE, path)
    try:
        return _inspection(Path(path).name, content, model)
    except Exception as error:
        # LiteRT lets pass what refers to something that is not there.
        raise _tflite.damaged(WHERE, path, error) from error


def _inspection(file, content, model):
    operations = _operations(model)
    main = model.subgraphs[0]
    stored = {
        tensor.buffer: tensor
        for graph in model.subgraphs
        for tensor in graph.tensors
        if _tflite.stored_bytes(model, tensor)
    }
    return Inspection(
        file=file,
        size_bytes=len(content),
        inputs=_tensors(model, main, main.inputs),
        outputs=_tensors(model, main, main.outputs),
        operations=operations,
        parameters=sum(map(_parameters, stored.values())),
        macs=sum(one.macs for one in operations if not one.graph),
        weight_bytes=sum(_tflite.stored_bytes(model, one) for one in stored.values()),
        arena_bytes=arena_bytes(model),
        micro_arena_bytes=whole_arena_bytes(model),
        not_builtin=tuple(one for one in operations if one.name.startswith("CUSTOM:")),
        loops=tuple(one for one in operations if one.name == "WHILE"),
        float_islands=_float_islands(operations),
    )


def _operations(model):
    """All operations, the main graph's first."""
    found = []
    for number, graph in enumerate(model.subgraphs):
        layers = operation_layers(model, graph)
        for operator, names in zip(graph.operators or (), layers, strict=True):
            found.append(_operation(model, number, operator, names))
    by_graph = {}
    for one in found:
        by_graph.setdefault(one.graph, []).append(one)
    # A body comes after its loop in the file, and a loop's cost is its body's.
    operators = [one for graph in model.subgraphs for one in graph.operators or ()]
    for position in reversed(range(len(found))):
        called = _tflite.called_graphs(operators[position])
        if called:
            one = found[position]
            cost = _control_macs(one, [by_graph.get(number, []) for number in called])
            changed = dataclasses.replace(one, macs=cost)
            siblings = by_graph[one.graph]
            siblings[siblings.index(one)] = found[position] = changed
    return tuple(found)


def _control_macs(operation, bodies):
    """The cost of a loop, or of the dearer branch."""
    costs = [sum(one.macs for one in body) for body in bodies]
    if operation.name == "WHILE":
        return (operation.iterations or 1) * sum(costs)
    return max(costs) if operation.name == "IF" else 0


def _operation(model, number, operator, layers):
    graph = model.subgraphs[number]
    name = _tflite.operation_name(model, operator)
    inputs = [graph.tensors[index] for index in _tflite.listed(operator.inputs)]
    outputs = [graph.tensors[index] for index in _tflite.listed(operator.outputs)]
    constants = [one for one in inputs if _tflite.stored_bytes(model, one)]
    return Operation(
        name=name,
        layer=layers[0] if layers else "",
        fused_layers=layers[1:],
        inputs=_tensors(model, graph, operator.inputs),
        outputs=_tensors(model, graph, operator.outputs),
        parameters=sum(map(_parameters, constants)),
        macs=macs(name, operator, inputs, outputs),
        weight_bytes=sum(_tflite.stored_bytes(model, one) for one in constants),
        graph=number,
        iterations=iterations(model, graph, operator) if name == "WHILE" else 1,
    )


def _tensors(model, graph, indices):
    return tuple(
        _tensor(model, graph.tensors[index]) for index in _tflite.listed(indices)
    )


def _tensor(model, tensor):
    scale, zero_point = _tflite.scale_of(tensor)
    return Tensor(
        name=tensor.name.decode() if tensor.name else "",
        shape=_tflite.open_shape(tensor),
        dtype=_tflite.dtype(tensor),
        is_constant=bool(_tflite.stored_bytes(model, tensor)),
        is_quantised=_tflite.is_scaled(tensor),
        scale=scale,
        zero_point=zero_point,
    )


def _parameters(constant):
    """How many weights are in a constant: none in shapes, axes and positions."""
    is_weights = _tflite.dtype(constant) in _tflite.FLOATS or _tflite.is_scaled(
        constant
    )
    return math.prod(_tflite.shape(constant)) if is_weights else 0


def _float_islands(operations):
    """The operations in float, if others compute in integers."""
    computing = [one for one in operations if one.name not in _BORDER]
    in_integers = [one for one in computing if _has(one, _tflite.QUANTISED)]
    if not in_integers:
        return ()
    return tuple(one for one in computing if _has(one, _tflite.FLOATS))


_BORDER = {"QUANTIZE", "DEQUANTIZE", "WHILE", "IF", "CALL_ONCE"}


def _has(operation, dtypes):
    """Whether it takes or makes activations of such a type."""
    return any(
        tensor.dtype in dtypes and not tensor.is_constant
        for tensor in operation.inputs + operation.outputs
    )

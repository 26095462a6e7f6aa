"""The memory that TensorFlow Lite Micro plans for a file's activations.

What its memory planner does, followed step by step, so that the number is the same: the
lifetimes of tensors and of the scratch memory that kernels ask for
(https://github.com/tensorflow/tflite-micro, micro_allocation_info.cc), packed largest
first into the lowest gap (greedy_memory_planner.cc).
"""

from dataclasses import dataclass

from keras_kd.export import _tflite

_ALIGNMENT = 16
_ELEMENT_BYTES = {
    "bool": 1,
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "uint8": 1,
    "bfloat16": 2,
    "float16": 2,
    "int16": 2,
    "uint16": 2,
    "float64": 8,
    "int64": 8,
    "uint64": 8,
    "complex64": 8,
    "complex128": 16,
    "resource": 4,
    "variant": 4,
    "string": 0,
}


@dataclass
class Buffer:
    """Bytes needed from one step to another, both included, and their place."""

    size: int
    first: int = -1
    last: int = -1
    offset: int = 0

    def used(self, step):
        self.last = step

    def made(self, step):
        self.first = self.last = step


def arena_bytes(model):
    """The arena of a file's activations and scratch memory, without what persists.

    Args:
        model: the schema's `ModelT`.

    Returns:
        Int, what TensorFlow Lite Micro's `RecordingMicroAllocator` reports as "Arena
        allocation head" for the reference kernels.
    """
    return pack(Plan(model).placed())


class Plan:
    """The lifetimes of all tensors and scratch buffers of a file.

    Args:
        model: the schema's `ModelT`.

    Attributes:
        tensors: list of lists, a buffer for each tensor of each subgraph.
        scratch: dict of `(subgraph, operation)` to a list of buffers.
    """

    def __init__(self, model):
        self.model = model
        self.step = 0
        self.tensors = [
            [Buffer(tensor_bytes(tensor)) for tensor in graph.tensors]
            for graph in model.subgraphs
        ]
        self.scratch = {
            (number, position): [
                Buffer(size) for size in _scratch_bytes(model, graph, operator)
            ]
            for number, graph in enumerate(model.subgraphs)
            for position, operator in enumerate(graph.operators or ())
        }
        self._walk(0)

    def placed(self):
        """The buffers that get a place: neither weights nor empty."""
        found = []
        for graph, buffers in zip(self.model.subgraphs, self.tensors, strict=True):
            weights = _unpacked_once(self.model, graph)
            for index, tensor in enumerate(graph.tensors):
                stays = tensor.isVariable or _tflite.stored_bytes(self.model, tensor)
                if not stays and index not in weights:
                    found.append(buffers[index])
        for buffers in self.scratch.values():
            found.extend(buffers)
        return [buffer for buffer in found if buffer.size]

    def _walk(self, number):
        """Marks what the subgraph, and those that it calls, make and use."""
        graph, buffers = self.model.subgraphs[number], self.tensors[number]
        for index in _tflite.listed(graph.inputs) + _tflite.listed(graph.outputs):
            buffers[index].made(self.step)
        for position, operator in enumerate(graph.operators or ()):
            self.step += 1
            start = self.step
            outputs = _tflite.listed(operator.outputs)
            for index in outputs:
                buffers[index].made(self.step)
            for called in _tflite.called_graphs(operator):
                self.step += 1
                self._walk(called)
            for index in _tflite.listed(operator.inputs) + outputs:
                buffers[index].used(self.step)
            for buffer in self.scratch[number, position]:
                buffer.first, buffer.last = start, self.step
        for index in _tflite.listed(graph.outputs):
            buffers[index].used(self.step)


def _unpacked_once(model, graph):
    """The weights of a subgraph that are stored small, as float32.

    TensorFlow Lite Micro plans room for them, but refuses float16, and files that
    compute on integer weights and floats; other runtimes unpack before the first run.
    """
    steps = [
        (_tflite.operation_name(model, one), _tflite.listed(one.inputs), one)
        for one in graph.operators or ()
    ]
    is_hybrid = any(
        _tflite.is_hybrid(name, *(_tflite.dtype(graph.tensors[i]) for i in inputs[:2]))
        for name, inputs, _ in steps
    )
    found = set()
    for name, inputs, operator in steps:
        source = graph.tensors[inputs[0]] if name == "DEQUANTIZE" else None
        if source is None or not _tflite.stored_bytes(model, source):
            continue
        if is_hybrid or _tflite.dtype(source) == "float16":
            found.update(_tflite.listed(operator.outputs))
    return found


def tensor_bytes(tensor):
    """What a tensor takes in memory, where small integers are not packed."""
    return _tflite.elements(tensor) * _ELEMENT_BYTES.get(_tflite.dtype(tensor), 4)


def _scratch_bytes(model, graph, operator):
    """The sizes that the reference kernel of an operation asks for, in its order."""
    name = _tflite.operation_name(model, operator)
    inputs = [graph.tensors[index] for index in _tflite.listed(operator.inputs)]
    outputs = [graph.tensors[index] for index in _tflite.listed(operator.outputs)]
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        # For the weights, one in a byte.
        types = [_tflite.dtype(tensor) for tensor in inputs[:2]]
        return [_tflite.elements(inputs[1])] if types == ["int8", "int4"] else []
    if name == "TRANSPOSE_CONV":
        accumulator = {"int8": 4, "int16": 8}.get(_tflite.dtype(inputs[2]), 0)
        sizes = [accumulator * _tflite.elements(outputs[0])]
        if len(inputs) > 3 and _tflite.dtype(inputs[3]) == "int16":
            sizes.append(8 * _tflite.elements(inputs[3]))
        return sizes
    if name in ("MEAN", "SUM"):
        quantised = _tflite.dtype(inputs[0]) in ("int8", "int16")
        sums = [4 * _tflite.elements(outputs[0])] if quantised else []
        return sums + _axes_bytes(inputs)
    if name in ("REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN"):
        return _axes_bytes(inputs)
    if name == "MIRROR_PAD":
        return 2 * [4 * _tflite.elements(inputs[1]) // 2]
    return []


def _axes_bytes(inputs):
    """For a loop over the axes of a reduction."""
    return [4 * len(_tflite.shape(inputs[0])), 4 * _tflite.elements(inputs[1])]


def pack(buffers):
    """Gives each buffer an offset, no two at once in one place; the size of all."""
    placed = []  # (offset, size, first, last), by offset
    # Of equal sizes, TFLM takes the last first.
    for buffer in sorted(reversed(buffers), key=_aligned_bytes, reverse=True):
        size, offset = _aligned_bytes(buffer), 0
        for start, taken, first, last in placed:
            if first > buffer.last or last < buffer.first:
                continue
            if start - offset >= size:
                break
            offset = max(offset, start + taken)
        buffer.offset = offset
        placed.append((offset, size, buffer.first, buffer.last))
        placed.sort(key=lambda one: one[0])
    return max((offset + size for offset, size, *_ in placed), default=0)


def _aligned_bytes(buffer):
    return -(-buffer.size // _ALIGNMENT) * _ALIGNMENT

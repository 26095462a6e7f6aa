"""Which layer of a .tflite file departs from its Keras model, and by how much."""

import contextlib
import dataclasses
from dataclasses import dataclass

import numpy as np

from keras_kd.export import _tflite
from keras_kd.export._inside import layer_values, tensor_values
from keras_kd.export._names import layer_names
from keras_kd.export.litert import LiteRtModel
from keras_kd.outputs.litert import quantise

WHERE = "keras_kd.export.verify"
# What the layers of so many examples give is in memory at once.
_BATCH = 8


@dataclass(frozen=True)
class LayerError:
    """How far the result of a layer is from what Keras computes.

    Attributes:
        layer: str, its path in the Keras model; "input" for what the file is given,
            "output" for what it gives where that is no layer's result.
        operation: str, the TFLite operation that gives its result; "" for the input.
        dtype: str, of that result in the file.
        error: float, RMS of the difference / RMS of what Keras computes.
        added: float, `error` less the largest one of the layers that it is computed
            from: what came in here. Errors above 1 count as 1 in it, for zeros would
            be as good.

    Example:
        >>> LayerError("conv_2", "CONV_2D", "int8", error=0.5, added=0.48).layer
        'conv_2'
    """

    layer: str
    operation: str
    dtype: str
    error: float
    added: float


@dataclass(frozen=True)
class _Result:
    """A tensor of the file, by its number, that holds the result of a layer."""

    index: int
    layer: str
    operation: str = ""


def layer_errors(path, model, inputs, raw, outputs):
    """Compares the layers of a file with those of its Keras model.

    Layers that the converter merged into the next one are not in the file, and are left
    out; so are layers that run several times, and those that give only zeros.

    Args:
        path: `str` or `Path` of the file.
        model: the Keras model.
        inputs: `(n, ...)`, what the Keras model is given.
        raw: the same in the units that the file takes, float.
        outputs: `(n, num_classes)` of the Keras model, in the units of the file.

    Returns:
        A tuple of `LayerError`, in the order in which the file computes them; the last
        is the output.

    Raises:
        ValueError: It is not a .tflite file.
        FileStoppedError: See `tensor_values`.
    """
    _, parsed = _tflite.read(WHERE, path)
    [graph, *_] = parsed.subgraphs
    results = _results(parsed, graph, *layer_values(model, inputs[:1]))
    sums = _Sums(len(results))
    with contextlib.closing(_running(path, results, raw)) as running:
        for start in range(0, len(inputs), _BATCH):
            rows = slice(start, start + _BATCH)
            _, values = layer_values(model, inputs[rows])
            inner = [values[one.layer] for one in results[1:-1]]
            expected = zip(raw[rows], *inner, outputs[rows], strict=True)
            # `expected` first: when it ends, nothing may be taken from the other.
            for wanted, tensors in zip(expected, running, strict=False):
                got = [
                    _dequantise(tensor, graph.tensors[one.index])
                    for tensor, one in zip(tensors, results, strict=True)
                ]
                sums.add(got, wanted)
    found = zip(results, sums.errors(), strict=True)
    return _in_order(graph, {one.index: (one, e) for one, e in found if e is not None})


def _running(path, results, raw):
    """The tensors of the results, one example after the other."""
    details = LiteRtModel(path).input
    given = (quantise(one, details)[None] for one in raw)
    return tensor_values(path, [one.index for one in results], given)


def _results(parsed, graph, outputs, values):
    """The tensors that hold the results of layers, between the input and the output."""
    # The output has no layer's name in the file. What has a softmax inside, or before
    # it was left out, is not compared with the tensor before it.
    last = [name for name, value in values.items() if np.array_equal(value, outputs)]
    output = _Result(int(graph.outputs[0]), last[-1] if last else "output")
    found = {}
    for operator in graph.operators:
        operation = _tflite.operation_name(parsed, operator)
        for index in _tflite.listed(operator.outputs):
            tensor = graph.tensors[index]
            if index == output.index:
                output = dataclasses.replace(output, operation=operation)
                continue
            # A layer's last tensor is its result, if it is not one of another layer
            # into which it was merged.
            [names, *merged] = map(_with_outer, layer_names(tensor.name) or [""])
            for name in set().union(*merged) - names:
                found.pop(name, None)
            for name in names & values.keys() - set(last):
                if _squeezed(_tflite.shape(tensor)) == _squeezed(values[name].shape):
                    found[name] = _Result(index, name, operation)
    # Of a layer and the last one inside it, which share a tensor, the inner one.
    by_depth = sorted(found.values(), key=lambda one: one.layer.count("/"))
    inner = {one.index: one for one in by_depth}
    return [_Result(int(graph.inputs[0]), "input"), *inner.values(), output]


def _with_outer(path):
    """The path of a layer, and those of the layers that it is in."""
    parts = path.split("/")
    return {"/".join(parts[: end + 1]) for end in range(len(parts))}


def _squeezed(shape):
    return [size for size in shape if size != 1]


class _Sums:
    """Sums of squares over elements and examples, of differences and of values."""

    def __init__(self, number):
        self._differences = np.zeros(number)
        self._values = np.zeros(number)

    def add(self, got, expected):
        """Adds one example: arrays of what the file gives, and of what Keras gives."""
        for place, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
            theirs = np.ravel(theirs).astype("float64")
            self._differences[place] += np.sum((np.ravel(ours) - theirs) ** 2)
            self._values[place] += np.sum(theirs**2)

    def errors(self):
        """The relative errors; None where all values are 0."""
        return [
            float(np.sqrt(difference / value)) if value else None
            for difference, value in zip(self._differences, self._values, strict=True)
        ]


def _in_order(graph, found):
    """The errors in the file's order, each with what its layer adds."""
    listed = []
    # Of each tensor, the largest error among the results that it is computed from.
    inherited = {}

    def settle(index):
        if index in found:
            one, error = found[index]
            kind = _tflite.dtype(graph.tensors[index])
            added = min(error, 1.0) - min(inherited.get(index, 0.0), 1.0)
            listed.append(LayerError(one.layer, one.operation, kind, error, added))
            inherited[index] = error

    settle(int(graph.inputs[0]))
    for operator in graph.operators:
        given = _tflite.listed(operator.inputs)
        for index in _tflite.listed(operator.outputs):
            inherited[index] = max((inherited.get(i, 0.0) for i in given), default=0.0)
            settle(index)
    return tuple(listed)


def _dequantise(raw, tensor):
    """Real values of what a tensor holds, float."""
    if not _tflite.is_scaled(tensor):
        return raw.astype("float32")
    quantization = tensor.quantization
    scale = np.asarray(quantization.scale, "float32")
    zero_point = np.asarray(quantization.zeroPoint, "float32")
    if len(scale) > 1:
        shape = [1] * raw.ndim
        shape[quantization.quantizedDimension] = len(scale)
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    return (raw.astype("float32") - zero_point) * scale

"""Following the graph of a .tflite file: whose operation it is, how often it runs."""

import numpy as np

from keras_kd.export import _tflite
from keras_kd.export._names import layer_names


def operation_layers(model, graph):
    """The Keras layers of each operation.

    A result's own name tells most; that of a file's output does not, so that the
    weights, and then the values that the operation works on, tell.

    Args:
        model: the schema's `ModelT`.
        graph: its `SubGraphT`.

    Returns:
        A list of tuples of layer paths, see `layer_names`.
    """
    known, found = {}, []
    for operator in graph.operators or ():
        inputs, outputs = map(_tflite.listed, (operator.inputs, operator.outputs))
        layers = _first_names(graph, outputs)
        if not layers:
            # The largest constant is the weights.
            weights = sorted(
                inputs,
                key=lambda index: -_tflite.stored_bytes(model, graph.tensors[index]),
            )
            constants = [
                index
                for index in weights
                if _tflite.stored_bytes(model, graph.tensors[index])
            ]
            before = next((known[index] for index in inputs if index in known), ())
            layers = _first_names(graph, constants) or before[:1]
        known.update(dict.fromkeys(outputs, layers))
        found.append(layers)
    return found


def iterations(model, graph, operator):
    """How often the body of a WHILE runs, as far as its condition tells.

    Args:
        model: the schema's `ModelT`.
        graph: the `SubGraphT` that the WHILE is in.
        operator: the WHILE's `OperatorT`.

    Returns:
        Int for a loop that counts from a constant to a constant, as those of Keras's
        recurrent layers; else None.
    """
    condition = model.subgraphs[operator.builtinOptions.condSubgraphIndex]
    counters = list(map(int, condition.inputs))
    ends = []
    for test in condition.operators:
        if _tflite.operation_name(model, test) != "LESS":
            continue
        counter, limit = test.inputs
        end = _integer(model, condition.tensors[limit])
        if counter in counters and end is not None:
            outer = operator.inputs[counters.index(counter)]
            start = _integer(model, graph.tensors[outer])
            if start is not None:
                ends.append(end - start)
    return min(ends, default=None)


def _first_names(graph, indices):
    named = (layer_names(graph.tensors[index].name or b"") for index in indices)
    return next((names for names in named if names), ())


def _integer(model, tensor):
    """The value of a constant of one integer, else None."""
    content = model.buffers[tensor.buffer].data
    kind = _tflite.dtype(tensor)
    if content is None or kind not in ("int32", "int64"):
        return None
    values = np.frombuffer(bytes(bytearray(content)), kind)
    return int(values[0]) if len(values) == 1 else None

"""Where in one array of memory each tensor lies while it is needed."""

from keras_kd.export import _tflite
from keras_kd.export._arena import Buffer, pack, tensor_bytes

# The result has the numbers of the first input, in the same order.
SAME_NUMBERS = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})


def places(operations):
    """The place of every tensor that is computed.

    Args:
        operations: list of `Operation`, of a graph with constant weights.

    Returns:
        `(bytes, offsets)`: the size of the memory, and a dict of tensor to int.
    """
    model = operations[0].model
    graph = model.subgraphs[0]
    same = _same_places(operations)
    buffers = {}
    for number in _tflite.listed(graph.inputs):
        buffers[same[number]] = Buffer(tensor_bytes(graph.tensors[number]), 0, 0)
    for step, one in enumerate(operations, 1):
        for number in (*one.inputs, one.output):
            place = same.get(number, number)
            if _tflite.stored_bytes(model, graph.tensors[place]):
                continue
            size = tensor_bytes(graph.tensors[place])
            buffers.setdefault(place, Buffer(size, step, step)).used(step)
    for number in _tflite.listed(graph.outputs):
        buffers[same[number]].used(len(operations) + 1)
    total = pack(list(buffers.values()))
    return total, {
        number: buffers[place].offset
        for number, place in same.items()
        if place in buffers
    }


def _same_places(operations):
    """For each tensor, the one whose memory it shares; mostly itself."""
    same = {
        number: number
        for number in range(len(operations[0].model.subgraphs[0].tensors))
    }
    for one in operations:
        if one.name in SAME_NUMBERS:
            same[one.output] = same[one.inputs[0]]
    return same

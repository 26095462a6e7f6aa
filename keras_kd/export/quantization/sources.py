"""In which steps the inputs of a layer, and its sums, are rounded.

A file stores a bias as a whole number of products of one step of the input and one step
of the weights, so a layer must know both to round its bias as the file does. Keras
remembers which layer made the tensors that another was built with.
"""

from keras_kd._keras_internals import nodes_after, nodes_into, origin
from keras_kd.export.quantization.graph import is_functional
from keras_kd.export.quantization.passing import keeps_range


def input_step(layer):
    """The distance between two neighbouring values that a layer's input can have.

    Args:
        layer: a layer of a Functional model.

    Returns:
        A float32 scalar; None if it is not known, as at the inputs of a model that is
        part of another, or not the same for all inputs.
    """
    tensors = [tensor for node in nodes_into(layer) for tensor in node.input_tensors]
    makers = [_maker(tensor) for tensor in tensors]
    if not makers or any(maker is not makers[0] for maker in makers):
        return None
    return getattr(makers[0], "output_step", None)


def next_step(layer):
    """The step to which what a layer computes is rounded, by it or by the layer after.

    Args:
        layer: a `QuantizedOutput` of a Functional model.

    Returns:
        A float32 scalar; None if it is not known.
    """
    if layer.before_activation is not None:
        return layer.before_activation.output_step
    if layer.quantise_output:
        return layer.output_step
    return _step_after(layer)


def _step_after(operation):
    nodes = nodes_after(operation)
    if len(nodes) != 1:
        return None
    after = nodes[0].operation
    step = getattr(after, "output_step", None)
    if step is None and keeps_range(after):
        return _step_after(after)
    return step


def _maker(tensor):
    """The layer that gave a tensor its range; None if it is not known."""
    made = origin(tensor)
    if made is None or made.operation is None:
        return None
    operation = made.operation
    if is_functional(operation):
        return _maker(operation.outputs[made.tensor_index])
    if not keeps_range(operation):
        return operation
    given = made.node.input_tensors
    return _maker(given[0]) if given else None

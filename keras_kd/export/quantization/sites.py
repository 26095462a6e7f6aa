"""What to do with each layer of a model, from what surrounds it."""

from typing import NamedTuple

from keras import layers

from keras_kd.export.quantization import operations, table
from keras_kd.export.quantization.folding import FOLDABLE
from keras_kd.export.quantization.graph import Graph
from keras_kd.export.quantization.output import has_fixed_range, kind_of
from keras_kd.export.quantization.unweighted import has_integer_activation


class Site(NamedTuple):
    """What surrounds a layer.

    Attributes:
        shapes: of all tensors it is given.
        norm: the BatchNormalization to fold into it, or None.
        quantise_output: whether its output needs a range of its own.
    """

    shapes: list
    norm: layers.BatchNormalization | None
    quantise_output: bool


class Sites:
    """The sites of all layers and operations of a Functional model.

    Args:
        model: a Functional `keras.Model`.
        gives_output: whether what the model gives is what the whole model gives.

    Attributes:
        graph: its `Graph`.
    """

    def __init__(self, model, *, gives_output):
        self.graph = Graph(model)
        self._gives_output = gives_output
        operations_ = {id(node.operation): node.operation for node in self.graph.nodes}
        pairs = [(self._taken_in_by(one), one) for one in operations_.values()]
        self._norms = {id(layer): norm for layer, norm in pairs if layer is not None}

    def is_folded(self, operation):
        """Whether it is a BatchNormalization that the layer before it takes in."""
        return any(operation is norm for norm in self._norms.values())

    def of(self, operation):
        """The `Site` of a layer or operation."""
        return Site(
            self._shapes(operation),
            self._norms.get(id(operation)),
            self._has_range(operation),
        )

    def ends(self, operation):
        """Whether its output is what the whole model gives."""
        skipped = self._norms.values()
        return self._gives_output and self.graph.ends_model(operation, skipped)

    def _shapes(self, operation):
        nodes = self.graph.runs(operation)
        return [tensor.shape for node in nodes for tensor in node.input_tensors]

    def _taken_in_by(self, norm):
        """The layer that a BatchNormalization can be folded into, or None."""
        if type(norm) is not layers.BatchNormalization:
            return None
        layer = self.graph.only_source(norm)
        if type(layer) not in FOLDABLE or kind_of(layer.activation) != "linear":
            return None
        shapes = self._shapes(norm)
        both = table.is_integer(layer, shapes) and table.is_integer(norm, shapes)
        alone = self.graph.only_follower(layer) is norm
        return layer if both and alone else None

    def _has_range(self, operation):
        mergeable = table.takes_activation(operation) or operations.takes_activation(
            operation
        )
        if mergeable:
            skipped = self._norms.values()
            return not _is_relu(self.graph.only_follower(operation, skipped))
        kind = kind_of(getattr(operation, "activation", None))
        is_softmax = isinstance(operation, layers.Softmax)
        kind = kind_of(operations.activation_of(operation)) or kind
        return not (is_softmax or has_fixed_range(kind)) or not self.ends(operation)


def _is_relu(operation):
    """Whether the converter merges an operation into the one before it."""
    if type(operation) is layers.ReLU:
        return has_integer_activation(operation)
    activation = operations.activation_of(operation)
    if type(operation) is layers.Activation:
        activation = operation.activation
    return kind_of(activation) == "relu"

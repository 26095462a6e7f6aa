"""The one place for names that Keras does not document.

Each stands behind a function that says what it is for, so that a new Keras breaks this
file and no other; tests/test_architecture.py sees to it. Keras is imported on use: this
file is below rooms that must load without it.

All were tried with Keras 3.13.2, 3.15.1 and a nightly build of 3.16, on the TensorFlow
that docs/versions.md names beside each. TensorFlow's documented names are enough.
"""

import contextlib
from typing import Any, NamedTuple


class Node:
    """One run of a layer or other operation in a Functional model.

    Keras has a class of that name without documents. Two are equal if they are the same
    run, so they can be keys of a dict.

    Attributes:
        operation: what runs: a layer, a model, or an operation of `keras.ops`.
        input_tensors: list of all symbolic tensors among its arguments.
        outputs: list of the symbolic tensors that it gives.
    """

    def __init__(self, node):
        self._node = node
        self.operation = node.operation
        self.input_tensors = node.input_tensors
        self.outputs = node.outputs

    def __eq__(self, other):
        return isinstance(other, Node) and self._node is other._node

    def __hash__(self):
        return id(self._node)

    @property
    def args(self):
        """The positional arguments, with symbolic tensors among them."""
        return self._node.arguments.args

    @property
    def kwargs(self):
        """The arguments by name, with symbolic tensors among them."""
        return self._node.arguments.kwargs

    def filled_in(self, values):
        """`(args, kwargs)` with values in the place of symbolic tensors.

        Args:
            values: dict of a tensor's `id` to its value.
        """
        return self._node.arguments.fill_in(values)


class Origin(NamedTuple):
    """Where a symbolic tensor comes from.

    Attributes:
        operation: the layer, model or operation that gave it.
        node_index: int, which of its runs that was.
        tensor_index: int, its place among the outputs.
    """

    operation: Any
    node_index: int
    tensor_index: int

    @property
    def node(self):
        """The `Node` of that run."""
        return Node(self.operation._inbound_nodes[self.node_index])


class Projections(NamedTuple):
    """The layers inside an attention layer, each an `EinsumDense` or None."""

    query: Any
    key: Any
    value: Any
    gate: Any
    output: Any


class BetweenKerasAndReplicas:
    """Lets a model, mixed in before `keras.Model`, see to batches of several replicas.

    Keras has no documented place for it.
    """

    def batch_to_build_on(self, iterator):
        """The batch whose shapes the model is built on; None for Keras's own choice.

        Args:
            iterator: Keras's, of the epoch; or None.
        """
        return None

    def compiled_function(self, step_function, compiled):
        """The function that takes an iterator and runs one step, or a group of them.

        Args:
            step_function: `train_step`, `test_step` or `predict_step`.
            compiled: makes it of a step function as Keras does.
        """
        return compiled(step_function)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Else Keras builds nothing here, and reads nothing.
        if self._distribute_strategy is not None:
            batch = self.batch_to_build_on(iterator)
            if batch is not None:
                iterator, data_batch = None, batch
        super()._maybe_symbolic_build(iterator, data_batch)

    def _make_function(self, step_function):
        return self.compiled_function(step_function, super()._make_function)


def all_layers(model):
    """A model or layer itself and every layer inside it, at any depth.

    `model.layers` leaves out what is inside other layers.
    """
    return model._flatten_layers()


def inner_layers(layer):
    """The layers directly inside a model or layer, also one that is not a model."""
    return layer._flatten_layers(include_self=False, recursive=False)


def has_functional_call(model):
    """Whether a model is Functional and has no `call` of its own.

    Keras does not export the class by a name.
    """
    from keras.src.models.functional import Functional

    return isinstance(model, Functional) and type(model).call is Functional.call


def nodes_of(model):
    """The `Node`s of a Functional model, from the outputs to the inputs."""
    return [
        Node(node)
        for nodes in model._nodes_by_depth.values()
        for node in nodes
        if not node.is_input
    ]


def nodes_into(operation):
    """The `Node`s at which an operation runs, in any model."""
    return [Node(node) for node in operation._inbound_nodes]


def nodes_after(operation):
    """The `Node`s that take an operation's outputs, in any model."""
    return [Node(node) for node in operation._outbound_nodes]


def run_with(model, inputs, replacement):
    """The outputs of a Functional model with other operations in the place of its own.

    Args:
        model: a Functional `keras.Model`.
        inputs: as the model takes.
        replacement: function of an operation that gives what to call instead.
    """
    return model._run_through_graph(inputs, operation_fn=replacement)


def origin(tensor):
    """The `Origin` of a symbolic tensor; None of any other."""
    history = getattr(tensor, "_keras_history", None)
    return None if history is None else Origin(*history)


def operation_name(operation):
    """The name of Keras's own operation, such as "Add"; None for layers and others."""
    kind = type(operation)
    return kind.__name__ if kind.__module__.startswith("keras.src.ops") else None


def mask_of(tensor):
    """The mask that Keras sends along with a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor, mask):
    """Sends a mask along with a tensor, where Keras's layers and losses look for it."""
    tensor._keras_mask = mask


def set_less_is_better(metric):
    """Tells callbacks such as `EarlyStopping(mode="auto")` to wait for less."""
    metric._direction = "down"


def set_more_is_better(metric):
    """Tells callbacks such as `EarlyStopping(mode="auto")` to wait for more."""
    metric._direction = "up"


def projections(layer):
    """The `Projections` of a `MultiHeadAttention` or `GroupQueryAttention`.

    Only the first has documented properties for some of them; the gate came with 3.15.
    """
    return Projections(
        layer._query_dense,
        layer._key_dense,
        layer._value_dense,
        getattr(layer, "_gate_dense", None),
        layer._output_dense,
    )


@contextlib.contextmanager
def changing_parts(model):
    """Lets the layers and metrics of a model change after it was built.

    Keras forbids it, but for its own changes such as `quantize`.
    """
    was_locked = model._tracker.locked
    model._tracker.unlock()
    try:
        yield
    finally:
        if was_locked:
            model._tracker.lock()


def compiled_loss(model):
    """The loss of `compile` as `(labels, outputs, sample_weight)` to a scalar.

    The documented `compute_loss` adds the regularisation, and counts the result among
    the means that `fit` shows.
    """
    return model._compile_loss


def loss_tracker(model):
    """The mean that `fit` shows as "loss"."""
    return model._loss_tracker


def has_unbuilt_metrics(model):
    """Whether metrics were given to `compile` that have not seen labels yet."""
    metrics = model._compile_metrics
    return metrics is not None and not metrics.built


def require_compiled(model, method):
    """Raises Keras's own error unless `compile` was called.

    Args:
        model: a `keras.Model`.
        method: str, what needs it.
    """
    model._assert_compile_called(method)

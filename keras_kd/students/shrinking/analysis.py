"""What every layer of the teacher has to do with every channel."""

from dataclasses import dataclass

import keras

from keras_kd._checks import invalid
from keras_kd.students.shrinking.channels import Ledger
from keras_kd.students.shrinking.graph import Graph, is_model
from keras_kd.students.shrinking.rules.lookup import rule_of
from keras_kd.students.shrinking.scaling import Call, Scaling, Traced, cannot_scale


@dataclass(frozen=True)
class Followed:
    """One call, with its channels.

    Attributes:
        inputs: list of axes, one tuple for each input tensor.
        scaling: `Scaling`.
    """

    inputs: list
    scaling: Scaling


class Analysis:
    """A teacher, with the channels of all its tensors and weights.

    Attributes:
        teacher: the model.
        ledger: `Ledger`.
        scalings: dict, `id` of a layer to its `Scaling`.
        calls: dict, a call's `Node` to `Followed`; of the last pass for a model that
            is called more than once.

    Args:
        teacher: Functional or Sequential model.
        width: float in (0, 1].
        divisor: int > 0.
        wired: dict of `Graph`, what depth leaves out.
    """

    def __init__(self, teacher, *, width, divisor, wired):
        self.teacher = teacher
        self.ledger = Ledger(width, divisor)
        self.scalings = {}
        self.calls = {}
        self._wired = wired
        self._graphs = {}
        self._first_inputs = {}
        for traced in self._run(teacher, [_unscaled(t) for t in teacher.inputs]):
            for channels in traced.axes:
                self.ledger.fix(channels)

    def graph(self, model):
        """The model's `Graph`, made once."""
        if id(model) not in self._graphs:
            self._graphs[id(model)] = Graph(model, self._wired)
        return self._graphs[id(model)]

    def graphs(self):
        """Those of the teacher and of all models in it."""
        return self._graphs.values()

    def operations(self):
        """All layers and operations that the student has, each once; no models."""
        found = {
            id(node.operation): node.operation
            for graph in self.graphs()
            for node in graph.nodes
            if not is_model(node.operation)
        }
        return list(found.values())

    def _run(self, model, inputs):
        return self.graph(model).run(inputs, self._visit)

    def _visit(self, node, args, kwargs):
        operation = node.operation
        inputs = [v for v in keras.tree.flatten((args, kwargs)) if _is_traced(v)]
        if is_model(operation):
            first = self._first_inputs.setdefault(id(operation), inputs)
            for one, other in zip(first, inputs, strict=True):
                self._tie(one.axes, other.axes)
            return self._run(operation, inputs)
        call = Call(
            layer=operation,
            args=args,
            kwargs=kwargs,
            inputs=inputs,
            output_shapes=[tuple(t.shape) for t in node.outputs],
            ledger=self.ledger,
        )
        scaling = _checked(operation, rule_of(operation)(call), call.output_shapes)
        self.calls[node] = Followed([traced.axes for traced in inputs], scaling)
        self._same_as_before(operation, scaling)
        return [
            Traced(shape, axes)
            for shape, axes in zip(call.output_shapes, scaling.outputs, strict=True)
        ]

    def _same_as_before(self, operation, scaling):
        """A layer that is used twice has the same channels both times."""
        before = self.scalings.setdefault(id(operation), scaling)
        if before is scaling:
            return
        for (_, axes), (_, others) in zip(before.weights, scaling.weights, strict=True):
            self._tie(axes, others)
        if scaling.config:
            self._tie(
                keras.tree.flatten(before.config), keras.tree.flatten(scaling.config)
            )

    def _tie(self, axes, others):
        for one, other in zip(axes, others, strict=True):
            if hasattr(one, "ids") and hasattr(other, "ids"):
                self.ledger.unify(one, other)
            else:
                for channels in (one, other):
                    self.ledger.fix(channels if hasattr(channels, "ids") else None)


def _unscaled(tensor):
    return Traced(tuple(tensor.shape), (None,) * len(tensor.shape))


def _is_traced(value):
    return isinstance(value, Traced)


def _checked(operation, scaling, output_shapes):
    """The rule's answer, which may be a user's."""
    if not isinstance(scaling, Scaling):
        raise invalid(
            f"the rule for {type(operation).__name__}",
            "to return a Scaling",
            type(scaling).__name__,
            "Return keras_kd.students.Scaling(outputs=...).",
        )
    sizes = [tuple(shape) for shape in output_shapes]
    pairs = [*zip(sizes, scaling.outputs, strict=False)]
    pairs += [(tuple(weight.shape), axes) for weight, axes in scaling.weights]
    known = {id(weight) for weight in getattr(operation, "weights", ())}
    if len(sizes) != len(scaling.outputs) or any(
        id(weight) not in known for weight, _ in scaling.weights
    ):
        raise cannot_scale(operation, "its rule names other outputs or weights")
    for shape, axes in pairs:
        if len(shape) != len(axes) or any(
            channels is not None and len(channels) != size
            for size, channels in zip(shape, axes, strict=True)
        ):
            raise cannot_scale(
                operation, f"its rule has other axes than its shape {shape}"
            )
    return scaling

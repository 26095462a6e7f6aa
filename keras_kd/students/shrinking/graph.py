"""A Functional or Sequential model as a list of calls that can be run on anything."""

import keras

from keras_kd._checks import invalid
from keras_kd._keras_internals import origin
from keras_kd.students.shrinking.scaling import WHERE


class Graph:
    """The calls that a model's outputs need, in order.

    Args:
        model: a built Functional or Sequential model.
        wired: dict, `id` of a tensor to the earlier tensor that takes its place, so
            that what lies between is not needed.
    """

    def __init__(self, model, wired):
        check_followable(model)
        self.inputs = list(model.inputs)
        self.outputs = list(model.outputs)
        self.wired = wired
        self._stops = {id(tensor) for tensor in self.inputs}
        self.nodes = self._needed()

    def run(self, inputs, visit):
        """The values of the outputs.

        Args:
            inputs: list of values, one for each input.
            visit: `(node, args, kwargs)`, with values for tensors, to a list of values.
        """
        values = _Values(self.wired)
        values.update(zip(map(id, self.inputs), inputs, strict=True))
        for node in self.nodes:
            args, kwargs = node.filled_in(values)
            outputs = visit(node, args, kwargs)
            values.update(zip(map(id, node.outputs), outputs, strict=True))
        return [values[id(tensor)] for tensor in self.outputs]

    def replaced(self, tensor):
        """The tensor that is used in this one's place."""
        while id(tensor) in self.wired:
            tensor = self.wired[id(tensor)]
        return tensor

    def _needed(self):
        nodes, done, stack = [], set(), list(reversed(self.outputs))
        while stack:
            tensor = self.replaced(stack[-1])
            node = None if id(tensor) in self._stops else producer(tensor)
            if node is None or node in done:
                stack.pop()
                continue
            before = [self.replaced(t) for t in node.input_tensors]
            missing = [
                t
                for t in before
                if id(t) not in self._stops and producer(t) not in done
            ]
            if missing:
                stack.extend(reversed(missing))
                continue
            nodes.append(node)
            done.add(node)
            stack.pop()
        return nodes


class _Values(dict):
    """Values by the tensor's id; a tensor that was wired past has its stand-in's."""

    def __init__(self, wired):
        super().__init__()
        self._wired = wired

    def __getitem__(self, key):
        while key in self._wired:
            key = id(self._wired[key])
        return super().__getitem__(key)

    def get(self, key, default=None):
        return self[key] if key in self or key in self._wired else default


def producer(tensor):
    """The call that a symbolic tensor comes from."""
    return origin(tensor).node


def producer_name(tensor):
    """The name of the layer that a symbolic tensor comes from."""
    return origin(tensor).operation.name


def is_model(operation):
    """Whether an operation is a model with a graph of its own."""
    return isinstance(operation, keras.Model)


def check_followable(model):
    """Raises unless the model is Functional or Sequential, and built."""
    kind = type(model).__name__
    if not isinstance(model, keras.Model):
        fix = "Pass a keras.Model; load a file with keras.models.load_model."
    elif isinstance(model, keras.Sequential) and not getattr(model, "inputs", None):
        kind, fix = f'"{model.name}", which is not built', "Give it a keras.Input."
    elif not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        fix = "Make the teacher of Keras layers by keras.Model(inputs, outputs)."
    elif any(
        "call" in vars(base) and not base.__module__.startswith("keras.")
        for base in type(model).__mro__
    ):
        fix = "Its own `call` cannot be followed; use keras.Model(inputs, outputs)."
    else:
        return
    raise invalid(WHERE, "a Functional or Sequential model", kind, fix)

"""What follows what in a Functional model."""

import keras

from keras_kd._keras_internals import has_functional_call, nodes_of, origin
from keras_kd.export.quantization.passing import IDENTITIES

_OUTPUT = None


class Graph:
    """The operations of a Functional model, and what takes their outputs.

    Args:
        model: a Functional `keras.Model`.

    Attributes:
        nodes: list of `Node`, one for each time an operation runs.
    """

    def __init__(self, model):
        self.nodes = nodes_of(model)
        self._takers = {}
        for node in self.nodes:
            for tensor in node.input_tensors:
                self._takers.setdefault(id(tensor), []).append(node)
        for tensor in model.outputs:
            self._takers.setdefault(id(tensor), []).append(_OUTPUT)

    def runs(self, operation):
        """The nodes at which an operation runs."""
        return [node for node in self.nodes if node.operation is operation]

    def is_masked(self, operation):
        """Whether an operation is told which parts of its input to leave out."""
        runs = self.runs(operation)
        return any(node.kwargs.get("mask") is not None for node in runs)

    def ends_model(self, operation, skipping=()):
        """Whether some output of an operation is one of the model's."""
        return _OUTPUT in self._followers(operation, skipping)

    def only_follower(self, operation, skipping=()):
        """The one operation that takes every output of another; None if there is none.

        Args:
            operation: layer or other operation of the model.
            skipping: operations that pass on what they are given.

        Returns:
            An operation, or None if there are several or the model's output is one.
        """
        followers = self._followers(operation, skipping)
        alone = len(followers) == len(self.runs(operation))
        different = {id(node and node.operation) for node in followers}
        if not alone or len(different) != 1 or followers[0] is _OUTPUT:
            return None
        return followers[0].operation

    def only_source(self, operation):
        """The one operation whose outputs another is given; None if there are several.

        Args:
            operation: layer or other operation of the model.
        """
        origins = [
            origin(tensor)
            for node in self.runs(operation)
            for tensor in node.input_tensors
        ]
        sources = [one and one.operation for one in origins]
        return sources[0] if len({id(source) for source in sources}) == 1 else None

    def _followers(self, operation, skipping):
        return [
            follower
            for node in self.runs(operation)
            for follower in self._after(node, skipping)
        ]

    def _after(self, node, skipping):
        """What takes the outputs of one run, past operations that are skipped."""
        followers = []
        for tensor in node.outputs:
            for taker in self._takers.get(id(tensor), []):
                if taker is not _OUTPUT and _is_skipped(taker.operation, skipping):
                    followers += self._after(taker, skipping)
                else:
                    followers.append(taker)
        return followers


def is_functional(model):
    """Whether a model is Functional or Sequential, built, and has no `call` of its own.

    Args:
        model: anything.
    """
    if isinstance(model, keras.Sequential):
        return model.built and bool(model.inputs)
    return has_functional_call(model)


def as_functional(model):
    """A Sequential model as a Functional one of the same layers; others as they are."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def _is_skipped(operation, skipping):
    return type(operation) in IDENTITIES or any(operation is one for one in skipping)

"""Repeated residual blocks, and how to do without some."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from keras_kd._checks import invalid
from keras_kd.students.shrinking.graph import Graph, is_model
from keras_kd.students.shrinking.scaling import WHERE


@dataclass(frozen=True)
class Block:
    """A residual block: `entry` and what was made of it are added.

    Attributes:
        entry: symbolic tensor.
        exit: symbolic tensor, of the same shape: the sum.
        kinds: tuple of the classes of the layers between.
    """

    entry: object
    exit: object
    kinds: tuple


def without_blocks(model, depth):
    """Which tensors to put in the place of which, so that the share `depth` is left.

    Args:
        model: Functional or Sequential.
        depth: float in (0, 1).

    Returns:
        Dict of `Graph`: `id` of the input of a block to that of an earlier block.

    Raises:
        ValueError: No residual blocks follow each other.
    """
    runs = _runs_of_all(model)
    if not any(len(run) > 1 for run in runs):
        raise invalid(
            WHERE,
            "repeated residual blocks of one shape for `depth` below 1",
            f'none in "{model.name}"',
            "Leave depth at 1 and choose a smaller width.",
        )
    wired = {}
    for run in runs:
        kept = _kept(len(run), depth)
        for place, (entry, after) in enumerate(run[:-1]):
            if place not in kept:
                wired[id(after)] = entry
    return wired


def _kept(count, depth):
    """Which of `count` stay, evenly spread; the last always."""
    left = math.ceil(depth * count - 1e-9)
    return {round(place) for place in np.linspace(count - 1, 0, left)}


def _runs_of_all(model):
    """The runs of a model and of the models in it."""
    graph = Graph(model, {})
    inner = {
        id(node.operation): node.operation
        for node in graph.nodes
        if is_model(node.operation)
    }
    runs = _Residuals(graph).runs()
    for operation in inner.values():
        runs += _runs_of_all(operation)
    return runs


class _Residuals:
    """The residual blocks of one graph."""

    def __init__(self, graph):
        self._nodes = graph.nodes
        self._outputs = {id(tensor) for tensor in graph.outputs}
        self._makers, self._users = {}, defaultdict(list)
        for node in graph.nodes:
            self._makers.update((id(tensor), node) for tensor in node.outputs)
            for tensor in node.input_tensors:
                self._users[id(tensor)].append(node)

    def runs(self):
        """Lists of `(entry, exit)`: each unit's exit is the next one's entry."""
        blocks = [block for node in self._nodes if (block := self._block(node))]
        starts = Counter(id(block.entry) for block in blocks)
        by_entry = {id(b.entry): b for b in blocks if starts[id(b.entry)] == 1}
        following = {
            key: found
            for key, block in by_entry.items()
            if (found := self._next_entry(block, by_entry)) is not None
        }
        firsts = by_entry.keys() - {id(entry) for entry in following.values()}
        return [
            _units(run)
            for key in by_entry
            if key in firsts
            for run in [_chain(key, by_entry, following)]
        ]

    def _block(self, node):
        """The block that ends in this addition, or None."""
        tensors = node.input_tensors
        if (
            type(node.operation).__name__ != "Add"
            or len(tensors) != 2
            or {tuple(t.shape) for t in tensors} != {tuple(node.outputs[0].shape)}
        ):
            return None
        for entry, branch in (tensors, tensors[::-1]):
            inside = self._between(entry, branch, node)
            if inside and any(getattr(n.operation, "weights", ()) for n in inside):
                kinds = tuple(type(n.operation) for n in inside)
                return Block(entry, node.outputs[0], kinds)
        return None

    def _between(self, entry, branch, end):
        """The calls from `entry` to `branch`, if nothing else goes in or out."""
        found, stack = set(), [branch]
        while stack:
            tensor = stack.pop()
            if tensor is entry:
                continue
            node = self._makers.get(id(tensor))
            if node is None:
                return None
            if node not in found:
                found.add(node)
                stack.extend(node.input_tensors)
        made = [t for node in found for t in node.outputs]
        users = (user for t in made for user in self._users[id(t)])
        if any(id(t) in self._outputs for t in made) or any(
            user != end and user not in found for user in users
        ):
            return None
        return [node for node in self._nodes if node in found]

    def _next_entry(self, block, by_entry):
        """The input of the next block, maybe after an activation or normalization."""
        tensor = block.exit
        while id(tensor) not in by_entry:
            users = self._users[id(tensor)]
            if len(users) != 1 or id(tensor) in self._outputs:
                return None
            node = users[0]
            if len(node.input_tensors) != 1 or len(node.outputs) != 1:
                return None
            if node.outputs[0].shape != block.exit.shape:
                return None
            tensor = node.outputs[0]
        return None if id(tensor) in self._outputs else tensor


def _chain(key, by_entry, following):
    """The blocks of a run: `(entry, exit, kinds)`, the last one's exit its sum."""
    run = []
    while key in following:
        after = following[key]
        run.append((by_entry[key].entry, after, by_entry[key].kinds))
        key = id(after)
    last = by_entry[key]
    return [*run, (last.entry, last.exit, last.kinds)]


def _units(run):
    """The run in units that repeat: attention and what follows it are one."""
    kinds = [kind for *_, kind in run]
    size = next(
        size
        for size in range(1, len(run) + 1)
        if len(run) % size == 0
        and all(kind == kinds[n % size] for n, kind in enumerate(kinds))
    )
    return [(run[n][0], run[n + size - 1][1]) for n in range(0, len(run), size)]

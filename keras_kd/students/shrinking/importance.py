"""How much each channel of the teacher matters."""

import keras
import numpy as np

from keras_kd._checks import invalid
from keras_kd.students.shrinking.graph import is_model
from keras_kd.students.shrinking.scaling import WHERE

MOST_EXAMPLES = 512
BATCH = 32
# They shift a channel, or describe it, and say nothing of its size.
_NO_SCALE = ("bias", "beta", "moving_mean", "moving_variance")


def channel_scores(analysis, data):
    """A score for each channel, by its root.

    By weights: what the channel's producers make (the squared norms of their kernels),
    times its scales (BatchNormalization, depthwise kernels), times what its consumers
    take. On data: the mean square that reaches each consumer, times the squared norm
    with which it is taken.

    Args:
        analysis: `Analysis`.
        data: None or inputs, see `shrink`.

    Returns:
        Float array `(channels,)`.
    """
    shares = _Shares(analysis.ledger.roots())
    squares = _MeanSquares(analysis, data)
    for graph in analysis.graphs():
        for node in graph.nodes:
            if not is_model(node.operation):
                _add_call(shares, analysis.calls[node], squares.by_channel(node))
    return shares.scores(analysis.ledger.groups())


class _Shares:
    """What the channels have of all weights; the mean of each weight counts as 1."""

    def __init__(self, roots):
        self._roots = roots
        self.produced, self.scaled, self.consumed, self.sent = np.zeros((4, len(roots)))

    def add(self, total, channels, values):
        """Adds the `values` that one weight has for `channels`."""
        if values.mean() > 0:
            np.add.at(total, self._roots[channels.ids], values / values.mean())

    def scores(self, groups):
        """The score of each root; what no channel of a group has does not count."""
        scores = np.ones(len(self._roots))
        for roots, _ in groups:
            sent = self.sent[roots]
            factors = [self.produced, self.scaled, self.consumed]
            for factor in [self.sent] if sent.any() else factors:
                if factor[roots].any():
                    scores[roots] *= factor[roots]
        return scores


def _add_call(shares, call, squares):
    """Adds the weights of one call to the sums that they belong to."""
    incoming = _ids(call.inputs)
    outgoing = _ids(call.scaling.outputs)
    for weight, axes in call.scaling.weights:
        if weight.name in _NO_SCALE:
            continue
        value = np.square(np.asarray(weight, dtype=np.float64))
        for axis, channels in enumerate(axes):
            if channels is None:
                continue
            values = value.sum(axis=tuple(n for n in range(value.ndim) if n != axis))
            ids = set(channels.ids.tolist())
            if not ids & incoming:
                shares.add(shares.produced, channels, values)
            elif ids & outgoing:
                shares.add(shares.scaled, channels, values)
            else:
                shares.add(shares.consumed, channels, values)
                if squares is not None:
                    shares.add(shares.sent, channels, values * squares[channels.ids])


def _ids(tensors):
    return {
        channel
        for axes in tensors
        for channels in axes
        if channels is not None
        for channel in channels.ids.tolist()
    }


class _MeanSquares:
    """The mean square of each channel that a call is given, over the data."""

    def __init__(self, analysis, data):
        self._analysis = analysis
        self._sums = {}
        for batch in [] if data is None else _batches(analysis.teacher, data):
            self._run(analysis.teacher, batch)

    def by_channel(self, node):
        """Float array by channel number, or None without data."""
        if node not in self._sums:
            return None
        squares = np.zeros(len(self._analysis.ledger.roots()))
        counts = np.zeros_like(squares)
        for channels, values in self._sums[node]:
            np.add.at(squares, channels.ids, values)
            np.add.at(counts, channels.ids, 1)
        return squares / np.maximum(counts, 1)

    def _run(self, model, inputs):
        return self._analysis.graph(model).run(inputs, self._visit)

    def _visit(self, node, args, kwargs):
        tensors = [
            v for v in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(v)
        ]
        if is_model(node.operation):
            return self._run(node.operation, tensors)
        found = self._sums.setdefault(node, [])
        axes_of = self._analysis.calls[node].inputs
        for tensor, axes in zip(tensors, axes_of, strict=True):
            for place, channels in enumerate(axes):
                if channels is not None:
                    square = keras.ops.square(keras.ops.cast(tensor, "float32"))
                    others = [n for n in range(len(axes)) if n != place]
                    found.append((channels, np.asarray(keras.ops.mean(square, others))))
        return keras.tree.flatten(node.operation(*args, **kwargs))


def _batches(teacher, data):
    """Lists of tensors, one for each input."""
    arrays = list(data) if isinstance(data, (list, tuple)) else [data]
    shapes = [tuple(tensor.shape[1:]) for tensor in teacher.inputs]
    got = [np.shape(array) for array in arrays]
    if [len(g) - 1 for g in got] != [len(s) for s in shapes] or any(
        size not in (given, None)
        for g, shape in zip(got, shapes, strict=True)
        for given, size in zip(g[1:], shape, strict=True)
    ):
        raise invalid(
            WHERE,
            f"`data` of shape {', '.join(map(str, shapes))} for each example",
            f"{', '.join(map(str, got))}",
            "Pass inputs alone, without labels, such as x_train[:256].",
        )
    count = min(len(arrays[0]), MOST_EXAMPLES)
    for start in range(0, count, BATCH):
        stop = min(start + BATCH, count)
        yield [
            keras.ops.convert_to_tensor(array[start:stop], dtype=tensor.dtype)
            for array, tensor in zip(arrays, teacher.inputs, strict=True)
        ]

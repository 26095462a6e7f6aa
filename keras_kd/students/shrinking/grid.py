"""All the architectures that a teacher can be shrunk to."""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from keras import layers

from keras_kd.students.shrinking.analysis import Analysis
from keras_kd.students.shrinking.blocks import without_blocks
from keras_kd.students.shrinking.channels import scaled_size
from keras_kd.students.shrinking.rules.attention import takes_heads
from keras_kd.students.shrinking.shrink import check_arguments

# A width at which no attention layer keeps whole heads.
_NO_SHARE = 1 / math.pi


@dataclass(frozen=True)
class Architecture:
    """What `shrink` makes of a teacher at a width and a depth.

    Attributes:
        width: float in (0, 1], one of those that give it.
        depth: float in (0, 1].
        params: int, all weights.
        shapes: tuple of the shapes of all weights.
    """

    width: float
    depth: float
    params: int
    shapes: tuple


def architectures(teacher, *, depth=1.0, divisor=8):
    """The architectures of all widths, from an analysis alone: none is built.

    A size changes where `width` passes the middle between two multiples of `divisor`;
    attention layers keep whole heads where `width` is a share of their number. Between
    these widths the architecture is the same.

    Args:
        teacher: see `shrink`.
        depth: see `shrink`.
        divisor: see `shrink`.

    Returns:
        List of `Architecture`, each once, from the fewest parameters to the most.

    Raises:
        ValueError: As `shrink`.

    Example:
        >>> from keras_kd.students import convnet
        >>> teacher = convnet((8, 8, 1), 10, width=16)
        >>> [(found.width, found.params) for found in architectures(teacher)]
        [(0.2, 2018), (0.5, 4466), (0.7, 8066), (0.8, 11658), (1.0, 16986)]
    """
    check_arguments(teacher, 1.0, depth, divisor, "random", None)
    wired = without_blocks(teacher, depth) if depth < 1 else {}

    def analysed(width):
        return Analysis(teacher, width=width, divisor=divisor, wired=wired)

    analysis = analysed(_NO_SHARE)
    heads = {
        operation.num_heads
        for operation in analysis.operations()
        if isinstance(operation, layers.MultiHeadAttention)
    }
    shares = {part / number for number in heads for part in range(1, number)}
    found = {}
    for width in sorted(shares):
        _add(found, analysed(width), [width], depth)
    _add(found, analysis, [1.0, *_widths(analysis.ledger, heads)], depth)
    return sorted(found.values(), key=lambda one: (one.params, one.width))


def _add(found, analysis, widths, depth):
    """Adds the architectures of some widths, by the shapes of their weights."""
    counts = _Counts(analysis.ledger, widths)
    by_weight = []
    for operation in analysis.operations():
        scaled = {
            id(weight): axes
            for weight, axes in analysis.scalings[id(operation)].weights
        }
        for weight in getattr(operation, "weights", ()):
            axes = scaled.get(id(weight), (None,) * len(weight.shape))
            by_weight.append(counts.shapes(weight.shape, axes))
    for width, *shapes in zip(widths, *by_weight, strict=True):
        params = sum(map(math.prod, shapes))
        found.setdefault(
            tuple(shapes), Architecture(width, depth, params, tuple(shapes))
        )


class _Counts:
    """How many channels of an axis stay, at many widths at once."""

    def __init__(self, ledger, widths):
        self._widths = widths
        self._roots = ledger.roots()
        self._group = np.zeros(len(self._roots), dtype=int)
        self._rank = np.zeros(len(self._roots), dtype=int)
        self._kept = []
        for number, (roots, step) in enumerate(ledger.steps()):
            self._group[roots] = number
            self._rank[roots] = np.arange(len(roots))
            self._kept.append([scaled_size(len(roots), w, step) for w in widths])

    def shapes(self, shape, axes):
        """The shape of a weight at each width, a list of tuples."""
        sizes = [
            [size] * len(self._widths) if channels is None else self._of(channels)
            for size, channels in zip(shape, axes, strict=True)
        ]
        return list(zip(*sizes, strict=True)) or [()] * len(self._widths)

    def _of(self, channels):
        roots = self._roots[channels.ids]
        groups, ranks = self._group[roots], self._rank[roots]
        total = sum(
            np.searchsorted(np.sort(ranks[groups == group]), self._kept[group])
            for group in np.unique(groups)
        )
        return total.tolist()


def _widths(ledger, heads):
    """A width below 1 for each architecture, with few digits."""
    borders = {Fraction(0), Fraction(1)}
    for roots, step in ledger.steps():
        size = len(roots)
        middles = range(3 * step, 2 * size, 2 * step)
        borders.update(Fraction(middle, 2 * size) for middle in middles)
    borders = sorted(borders)
    for low, high in itertools.pairwise(borders):
        yield _between(low, high, heads)


def _between(low, high, heads):
    """A width above `low` and below `high` that is no share of the heads."""
    # Compared as floats, as sizes are scaled: 0.7 is less than 7/10.
    low, high = float(low), float(high)
    # The golden section is no fraction: with enough digits it is no share.
    places = [low + (high - low) * share for share in (0.5, 0.618034)]
    return next(
        width
        for digits in range(1, 18)
        for place in places
        if low < (width := round(place, digits)) < high
        and not any(takes_heads(number, width) for number in heads)
    )

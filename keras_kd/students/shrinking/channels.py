"""Which channels of a network stand or fall together."""

import math
from collections import Counter, defaultdict

import numpy as np


class Channels:
    """The channels along one axis of a tensor or a weight, by number.

    Channels of the same number are kept or dropped together, wherever they appear: a
    BatchNormalization has the channels of the convolution before it, a Flatten has them
    once for each position.

    Attributes:
        ids: int array `(size,)`.
    """

    def __init__(self, ids):
        self.ids = np.asarray(ids, dtype=np.int64)

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, positions):
        return Channels(self.ids[positions])

    def repeat(self, times):
        """Every channel `times` times in a row: a, a, b, b."""
        return Channels(np.repeat(self.ids, times))

    def tile(self, times):
        """All channels, `times` times over: a, b, a, b."""
        return Channels(np.tile(self.ids, times))


class Ledger:
    """All channels of a network, and which of them are one.

    A union-find over channel numbers. The channels of one width are those made
    together, and tied to the same others: of each such group a share is kept.

    Args:
        width: float in (0, 1], the share of the channels to keep.
        divisor: int > 0, of the number of channels kept.
    """

    def __init__(self, width, divisor):
        self.width = width
        self.divisor = divisor
        self._parent = []
        self._source = []
        self._divisors = []
        self._fixed = set()

    def new(self, size, *, divisor=None):
        """`size` channels that nothing has yet.

        Args:
            size: int > 0.
            divisor: None for that of the network, or an int of their own.
        """
        first = len(self._parent)
        self._parent.extend(range(first, first + size))
        self._source.extend([len(self._divisors)] * size)
        self._divisors.append(divisor or self.divisor)
        return Channels(np.arange(first, first + size))

    def fixed(self, size):
        """`size` channels that are all kept."""
        channels = self.new(size)
        self.fix(channels)
        return channels

    def fix(self, channels):
        """Keeps all of these; None has nothing to fix."""
        if channels is not None:
            self._fixed.update(channels.ids.tolist())

    def unify(self, first, second):
        """Makes the channels of two axes of equal size the same, one by one."""
        for one, other in zip(first.ids.tolist(), second.ids.tolist(), strict=True):
            low, high = sorted((self.root(one), self.root(other)))
            self._parent[high] = low

    def root(self, channel):
        """The number that stands for all that are one with this."""
        while self._parent[channel] != channel:
            self._parent[channel] = self._parent[self._parent[channel]]
            channel = self._parent[channel]
        return channel

    def roots(self):
        """Int array `(channels,)`: the root of each."""
        return np.array([self.root(c) for c in range(len(self._parent))], dtype=int)

    def groups(self):
        """`(roots, kept)` of each group: which channels it has, how many stay."""
        for roots, step in self.steps():
            yield roots, scaled_size(len(roots), self.width, step)

    def steps(self):
        """`(roots, step)` of each group: its channels stay in multiples of `step`.

        The step of a group of which all stay is its size.
        """
        sources, fixed = defaultdict(Counter), set()
        for channel, source in enumerate(self._source):
            sources[self.root(channel)][source] += 1
        fixed = {self.root(channel) for channel in self._fixed}
        groups = defaultdict(list)
        for root in sorted(sources):
            tied_to = tuple(sorted(sources[root].items()))
            groups[root in fixed, tied_to].append(root)
        for (is_fixed, tied_to), roots in groups.items():
            yield np.array(roots), len(roots) if is_fixed else self._step(tied_to)

    def _step(self, tied_to):
        # A channel that a layer has once for each of `times` groups counts as many.
        return math.lcm(
            *(
                self._divisors[source] // math.gcd(self._divisors[source], times)
                for source, times in tied_to
            )
        )


def scaled_size(size, width, divisor):
    """The size at `width`: the nearest multiple of `divisor`, and at least that.

    Sizes of less than `divisor`, and all sizes at width 1, stay.

    Example:
        >>> [scaled_size(size, 0.5, 8) for size in (4, 10, 24, 64)]
        [4, 8, 16, 32]
    """
    if width == 1:
        return size
    nearest = math.floor(size * width / divisor + 0.5) * divisor
    return min(size, max(divisor, nearest))


class Kept:
    """The channels that stay.

    Args:
        ledger: `Ledger`.
        scores: None for the first of each group, or float array `(channels,)`, by root:
            the highest stay, in their order.
    """

    def __init__(self, ledger, scores=None):
        self._roots = ledger.roots()
        self._stays = np.zeros(len(self._roots), dtype=bool)
        for roots, kept in ledger.groups():
            if scores is not None:
                # Stable: of equals the first.
                roots = roots[np.argsort(-scores[roots], kind="stable")]
            self._stays[roots[:kept]] = True

    def positions(self, channels):
        """Int array: where along the axis the channels that stay are."""
        return np.flatnonzero(self._stays[self._roots[channels.ids]])

    def count(self, channels):
        """How many of them stay."""
        return len(self.positions(channels))

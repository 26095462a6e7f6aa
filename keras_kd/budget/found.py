"""The answer of the search."""

from dataclasses import dataclass
from typing import Any

from keras_kd.budget._plot import plot
from keras_kd.budget._table import table
from keras_kd.budget.candidate import Candidate
from keras_kd.budget.limits import Limits


@dataclass(frozen=True)
class Found:
    """The largest student that fits, and what was tried for it.

    Attributes:
        student: a new `keras.Model`, to be trained.
        chosen: its `Candidate`.
        tried: tuple of `Candidate`, all that were measured, in that order.
        limits: `Limits`.
    """

    student: Any
    chosen: Candidate
    tried: tuple[Candidate, ...]
    limits: Limits

    @property
    def pareto(self):
        """Those of `tried` that no other beats, a tuple from small to large.

        One beats another with no fewer parameters in a file no larger (and a run no
        longer, where latency was measured), if it is better in one of these.
        """
        best = (
            one
            for one in self.tried
            if not any(_beats(other, one) for other in self.tried)
        )
        return tuple(sorted(best, key=lambda one: one.params))

    @property
    def table(self):
        """What was tried as aligned text, from small to large, with the limits."""
        return table(self)

    def plot(self):
        """What was tried as a picture: costs that have a limit, over the parameters.

        Returns:
            A `matplotlib.figure.Figure`; `.savefig("budget.png")` writes it.
        """
        return plot(self)


def _beats(one, other):
    mine, others = _merits(one), _merits(other)
    return mine != others and all(
        merit >= other_merit for merit, other_merit in zip(mine, others, strict=True)
    )


def _merits(candidate):
    return candidate.params, -candidate.size_bytes, -(candidate.latency_ms or 0)

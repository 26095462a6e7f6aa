"""Means, spreads and paired differences of what several seeds gave."""

import math
import statistics
from dataclasses import dataclass

from scipy.stats import t as student_t


@dataclass(frozen=True)
class Spread:
    """A mean over seeds with its uncertainty.

    Attributes:
        mean: float.
        deviation: float, the standard deviation over seeds; 0 for one seed.
        low: float, the lower end of the 95 % interval of the mean (Student's t).
        high: float, its upper end.
    """

    mean: float
    deviation: float
    low: float
    high: float

    @property
    def is_above_zero(self):
        """Whether the whole interval is above 0."""
        return self.low > 0

    @property
    def is_below_zero(self):
        """Whether the whole interval is below 0."""
        return self.high < 0


def spread(values):
    """The `Spread` of a list of floats, one a seed; one seed has no interval."""
    values = [float(value) for value in values]
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Spread(mean, 0.0, -math.inf, math.inf)
    deviation = statistics.stdev(values)
    half = student_t.ppf(0.975, len(values) - 1) * deviation / math.sqrt(len(values))
    return Spread(mean, deviation, mean - half, mean + half)


def difference(values, others):
    """The `Spread` of differences that are taken seed by seed."""
    return spread([one - other for one, other in zip(values, others, strict=True)])


def percent(values, digits=1):
    """Fractions in percent, mean and standard deviation, as "98.1 ± 0.3"."""
    found = spread([100 * value for value in values])
    return f"{found.mean:.{digits}f} ± {found.deviation:.{digits}f}"


def points(values, others, digits=1):
    """A paired difference of fractions in points, as "+0.6 [+0.2, +1.1]" (95 %)."""
    found = difference([100 * v for v in values], [100 * v for v in others])
    if math.isinf(found.low):
        return f"{found.mean:+.{digits}f}"
    return (
        f"{found.mean:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]"
    )


def markdown(head, rows):
    """A table as lines of Markdown.

    Args:
        head: list of str.
        rows: list of lists of str or numbers, as long as `head`.
    """
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]

"""What a student may cost."""

from dataclasses import asdict, dataclass

from keras_kd._checks import check_positive, invalid

WHERE = "keras_kd.budget.within"


@dataclass(frozen=True)
class Limits:
    """What a student may cost at most; None where it does not matter.

    Attributes:
        max_size_bytes: number, of the .tflite file.
        max_params: number, of the Keras model's weights.
        max_macs: number, `Inspection.macs` of the file.
        max_arena_bytes: number, `Inspection.micro_arena_bytes` of the file.
        max_latency_ms: number, the median of `keras_kd.benchmark.measure`.

    Example:
        >>> Limits(max_size_bytes=250_000).given
        {'max_size_bytes': 250000}
    """

    max_size_bytes: float | None = None
    max_params: float | None = None
    max_macs: float | None = None
    max_arena_bytes: float | None = None
    max_latency_ms: float | None = None

    @property
    def given(self):
        """Dict of the limits that there are, by name."""
        return {name: v for name, v in asdict(self).items() if v is not None}

    def broken_by(self, costs):
        """The names of the limits that a student is over.

        Args:
            costs: dict of what it costs, by the names of `Candidate`.

        Returns:
            Tuple of str.
        """
        return tuple(
            name for name, most in self.given.items() if costs[cost_of(name)] > most
        )


def cost_of(limit):
    """The attribute of `Candidate` that a limit is for.

    Example:
        >>> cost_of("max_size_bytes")
        'size_bytes'
    """
    return limit.removeprefix("max_")


def check_limits(limits):
    """Raises unless there is a limit, and each is a number above 0."""
    for name, value in limits.given.items():
        check_positive(WHERE, name, value)
    if not limits.given:
        raise invalid(
            WHERE,
            "a limit",
            "none",
            "Pass what the device has room for, such as max_size_bytes=250_000.",
        )

"""What to say of a budget that no student meets."""

from keras_kd._checks import InvalidInputError, invalid
from keras_kd.budget.limits import WHERE, cost_of
from keras_kd.students.shrinking.blocks import without_blocks

_SMALL = ("int8", "int4_weights", "dynamic_int8")


def impossible(teacher, limits, smallest, *, precision):
    """The error that tells which limits cannot be met, and what can be reached.

    Args:
        teacher: see `within`.
        limits: `Limits`.
        smallest: list of `Candidate`, the smallest of each depth.
        precision: str.

    Returns:
        An `InvalidInputError`.
    """
    reachable = {
        name: min(getattr(one, cost_of(name)) for one in smallest)
        for name in limits.given
    }
    failing = [name for name, least in reachable.items() if least > limits.given[name]]
    together = "" if failing else ", which no student meets together"
    got = ", ".join(
        f"{name}={in_words(limits.given[name])} (smallest reachable: "
        f"{in_words(reachable[name])})"
        for name in failing or reachable
    )
    return invalid(
        WHERE,
        f'a budget that students of "{teacher.name}" can meet',
        f"{got}{together}",
        f"Allow more, or try {_ways(teacher, failing, smallest, precision)}.",
    )


def in_words(number):
    """A cost or limit to be read.

    Example:
        >>> in_words(250_000), in_words(0.12345)
        ('250,000', '0.123')
    """
    return f"{number:,.0f}" if number == int(number) else f"{number:,.3g}"


def _ways(teacher, failing, smallest, precision):
    """What else makes a student smaller."""
    divisor = smallest[0].divisor
    ways = [f"divisor={divisor // 2}"] if divisor > 1 else []
    if all(one.depth == 1 for one in smallest) and _has_blocks(teacher):
        ways.append("depths=(1.0, 0.5)")
    if "max_size_bytes" in failing and precision not in _SMALL:
        ways.append('precision="int8"')
    return ", ".join([*ways, "or a small net of keras_kd.students"]).removeprefix("or ")


def _has_blocks(teacher):
    try:
        without_blocks(teacher, 0.5)
    except InvalidInputError:
        return False
    return True

"""Students that were measured, as a table of plain text."""

from keras_kd.budget._impossible import in_words
from keras_kd.budget.limits import cost_of

_HEADINGS = {
    "params": "parameters",
    "size_bytes": "file bytes",
    "macs": "MACs",
    "arena_bytes": "arena bytes",
    "latency_ms": "ms",
}


def table(found):
    """One line for each candidate, from small to large, and one for the limits.

    Args:
        found: `Found`.
    """
    costs = [n for n in _HEADINGS if getattr(found.chosen, n) is not None]
    limits = {cost_of(name): value for name, value in found.limits.given.items()}
    rows = [
        ("", "width", "depth", *(_HEADINGS[name] for name in costs), "over"),
        *(_row(found, one, costs) for one in sorted(found.tried, key=_size)),
        ("limit", "", "", *(_cell(limits.get(name)) for name in costs), ""),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _size(candidate):
    return candidate.params, candidate.macs


def _row(found, candidate, costs):
    mark = "chosen" if candidate == found.chosen else ""
    if candidate not in found.pareto:
        mark = mark or "dominated"
    over = ", ".join(name.split("_")[1] for name in candidate.over)
    values = [_cell(getattr(candidate, name)) for name in costs]
    return mark, f"{candidate.width:g}", f"{candidate.depth:g}", *values, over


def _cell(value):
    return "" if value is None else in_words(value)


def _line(cells, widths):
    first, *numbers, last = cells
    padded = map(str.rjust, numbers, widths[1:-1])
    return "  ".join([first.ljust(widths[0]), *padded, last]).rstrip()

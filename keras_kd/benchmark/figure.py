"""A benchmark table as a picture: accuracy against latency and against bytes."""

from keras_kd._checks import invalid
from keras_kd._figures import COLOURS, MARKERS

WHERE = "keras_kd.benchmark.figure_of"
_FILLINGS = ("full", "none", "bottom", "left", "top", "right")


def figure_of(table):
    """Draws accuracy, with its 95 % interval, against latency and against bytes.

    A colour is a target, a shape a precision, a filling a model. Rows without accuracy
    are left out, and in the first panel those without times, too; in the second,
    targets that agree on a file's accuracy share a point, of the first one's colour.

    Args:
        table: a `BenchmarkTable` that was made with data.

    Returns:
        A `matplotlib.figure.Figure`; `figure.savefig("benchmark.png")` writes it.

    Raises:
        ValueError: No row has an accuracy.

    Example:
        `figure_of(table_of(paths, data=test)).savefig("benchmark.png")`
    """
    rows = [row for row in table.rows if row.accuracy is not None]
    if not rows:
        raise invalid(
            WHERE, "a table with accuracies", "none", "Pass data to table_of."
        )
    # Slow to import, and wanted by few who measure.
    from matplotlib.figure import Figure

    style = _Style(rows)
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    timed = [row for row in rows if row.measurement.p50_ms is not None]
    _panel(left, timed, style, lambda row: row.measurement.p50_ms)
    left.set_xlabel("latency, median of one example (ms)")
    left.set_ylabel("accuracy on the target (%), with 95 % interval")
    if not timed:
        left.text(0.5, 0.5, "no target gives times", transform=left.transAxes)
    # Reversed, so that the first of those that agree stays.
    agreed = {(row.file, row.accuracy.value): row for row in reversed(rows)}
    _panel(right, agreed.values(), style, lambda row: row.size_bytes / 1000)
    right.set_xlabel("size of the file (kB); targets that agree share a point")
    figure.legend(handles=style.legend(), loc="outside right upper", frameon=False)
    return figure


class _Style:
    """What stands for a target, a precision and a model."""

    def __init__(self, rows):
        self.colours = _cycle((_where(row) for row in rows), COLOURS)
        self.markers = _cycle((row.precision for row in rows), MARKERS)
        self.fillings = _cycle((row.model for row in rows), _FILLINGS)

    def of(self, row):
        """How to draw the row's point."""
        return {
            "marker": self.markers[row.precision],
            "markersize": 8,
            "color": self.colours[_where(row)],
            "fillstyle": self.fillings[row.model],
            "markerfacecoloralt": "white",
        }

    def legend(self):
        """Handles for targets, precisions and models, each under its heading."""
        from matplotlib.lines import Line2D

        handles = []
        for heading, names, key in (
            ("target", self.colours, "color"),
            ("precision", self.markers, "marker"),
            ("model", self.fillings, "fillstyle"),
        ):
            handles.append(
                Line2D([], [], linestyle="none", label=f"$\\bf{{{heading}}}$")
            )
            for name, sign in names.items():
                look = {"marker": "o", "color": "0.4", "markersize": 7, key: sign}
                handles.append(
                    Line2D([], [], linestyle="none", label=name or "unknown", **look)
                )
        return handles


def _panel(axes, rows, style, measure):
    for row in rows:
        x, y = measure(row), 100 * row.accuracy.value
        low, high = (100 * bound for bound in row.accuracy.ci95)
        # Rounding may put a bound of 0 or 100 % on the wrong side.
        errors = [[max(0, y - low)], [max(0, high - y)]]
        axes.errorbar(x, y, yerr=errors, elinewidth=0.8, **style.of(row))
    values = [measure(row) for row in rows]
    if values and max(values) > 10 * min(values):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.locator_params(axis="x", nbins=5)
    axes.grid(visible=True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _where(row):
    accelerator = row.measurement.accelerator
    return row.target if accelerator == "CPU" else f"{row.target}, {accelerator}"


def _cycle(names, signs):
    """A dict of each name to a sign; of many names some share one."""
    distinct = dict.fromkeys(names)
    return {name: signs[number % len(signs)] for number, name in enumerate(distinct)}

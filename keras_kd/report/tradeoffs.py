"""What accuracy costs."""

from keras_kd import _figures
from keras_kd._checks import invalid

_KINDS = {
    "teacher": "teacher",
    "scratch": "from labels alone",
    "distilled": "distilled",
    "tflite": ".tflite file",
}


def accuracy_by_size(rows):
    """Accuracy, with its 95 % interval, against bytes.

    Args:
        rows: sequence of `ResultRow`, of one or several runs.

    Returns:
        A `matplotlib.figure.Figure`. Of one run a colour is a model, a shape its form:
        in Keras, or as a file of some precision. Of several, a colour is a run, a shape
        a kind of model.

    Raises:
        ValueError: There are no rows.

    Example:
        `accuracy_by_size(read_run("runs/demo").rows).savefig("size.png")`
    """
    figure, panel = _drawn(rows, [row.size_bytes / 1000 for row in rows], rows)
    panel.set_xlabel("weights of a model, or the file (kB)")
    return figure


def accuracy_by_latency(rows):
    """Accuracy, with its 95 % interval, against the median time of one example.

    Args:
        rows: sequence of `ResultRow`; those without a time are left out.

    Returns:
        A `matplotlib.figure.Figure`, see `accuracy_by_size`.

    Raises:
        ValueError: No row has a time.

    Example:
        `accuracy_by_latency(read_run("runs/demo").rows).savefig("latency.png")`
    """
    timed = [row for row in rows if row.latency_ms is not None]
    times_ms = [row.latency_ms["p50"] for row in timed]
    factor, unit = (1000, "µs") if times_ms and max(times_ms) < 1 else (1, "ms")
    figure, panel = _drawn(timed, [factor * time_ms for time_ms in times_ms], rows)
    panel.set_xlabel(f"median latency of one example ({unit})")
    return figure


def _drawn(rows, values, every):
    if not rows:
        raise invalid(
            "keras_kd.report",
            "rows with what is to be drawn",
            "none",
            "Pass the rows of a run that measured it.",
        )
    figure, axes = _figures.new_figure(4.8, 4.0)
    panel = axes[0, 0]
    # Of all rows, so that a model looks the same in every figure of them.
    colours = _colours([_colour_of(row, every) for row in every])
    markers = _signs((_shape_of(row, every) for row in every), _figures.MARKERS)
    looks = [(_colour_of(row, every), _shape_of(row, every)) for row in rows]
    for row, value, (model, form) in zip(rows, values, looks, strict=True):
        _point(panel, row, value, colours[model], markers[form])
    if min(values) > 0 and max(values) > 5 * min(values):
        _make_logarithmic(panel)
    panel.set_ylabel("accuracy (%), with 95 % interval")
    panel.margins(x=0.1, y=0.08)
    models, forms = zip(*looks, strict=True)
    for name in dict.fromkeys(models):
        look = {"color": colours[name], "label": _figures.plain(name)}
        panel.plot([], [], "o", linestyle="none", **look)
    for name in dict.fromkeys(forms):
        look = {"color": _figures.GREY, "label": _figures.plain(name)}
        panel.plot([], [], markers[name], linestyle="none", **look)
    _figures.legend(figure, loc="outside upper left", ncols=2)
    return figure, panel


def _colour_of(row, rows):
    """The run; of a single run, the model."""
    if len({one.run for one in rows}) > 1:
        return row.run
    if row.kind != "tflite":
        return _KINDS.get(row.kind, row.kind)
    teachers = {one.params for one in rows if one.kind == "teacher"}
    teachers |= {one.params for one in rows if one.name.startswith("teacher")}
    return _KINDS["teacher" if row.params in teachers else "distilled"]


def _shape_of(row, rows):
    """The kind of model; of a single run, its form."""
    if len({one.run for one in rows}) > 1:
        return _KINDS.get(row.kind, row.kind)
    return f"{row.precision} file" if row.kind == "tflite" else "in Keras"


def _colours(names):
    """Those that the kinds of models have in all figures; others for other names."""
    kinds = {
        "teacher": _figures.BLUE,
        "distilled": _figures.VERMILION,
        "from labels alone": _figures.GREEN,
    }
    return _signs(names, _figures.COLOURS) | {
        name: colour for name, colour in kinds.items() if name in names
    }


def _signs(names, signs):
    """A dict of each name to a sign; of many names some share one."""
    distinct = dict.fromkeys(names)
    return {name: signs[number % len(signs)] for number, name in enumerate(distinct)}


def _point(panel, row, value, colour, marker):
    accuracy = 100 * row.accuracy
    low, high = (100 * bound for bound in row.accuracy_ci95)
    # Rounding may put a bound of 0 or 100 % on the wrong side.
    errors = [[max(0, accuracy - low)], [max(0, high - accuracy)]]
    look = {"color": colour, "marker": marker, "alpha": 0.9}
    panel.errorbar(value, accuracy, yerr=errors, markersize=7, elinewidth=1, **look)


def _make_logarithmic(panel):
    from matplotlib.ticker import LogLocator, NullFormatter

    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter(NullFormatter())

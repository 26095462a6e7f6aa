"""Lines with error bars, in the look of `keras_kd.report`."""

from _numbers import spread

from keras_kd import _figures


def lines(panel, x, curves, *, factor=100, start=0):
    """Draws means over seeds with their standard deviations.

    Args:
        panel: matplotlib axes.
        x: list of numbers.
        curves: dict of label to list of lists, for each x the values of the seeds.
        factor: float, of the values; 100 makes points of fractions.
        start: int, the first colour.
    """
    for number, (label, values) in enumerate(curves.items(), start):
        found = [spread([factor * value for value in seeds]) for seeds in values]
        panel.errorbar(
            x,
            [one.mean for one in found],
            [one.deviation for one in found],
            color=_figures.COLOURS[number % len(_figures.COLOURS)],
            marker=_figures.MARKERS[number % len(_figures.MARKERS)],
            capsize=3,
            label=label,
        )


def dots(panel, values, *, factor=100):
    """Draws a mean with its standard deviation for each name, one below the other.

    Args:
        panel: matplotlib axes.
        values: dict of name to the values of the seeds.
        factor: float, of the values.
    """
    found = [spread([factor * one for one in seeds]) for seeds in values.values()]
    places = range(len(found))
    panel.errorbar(
        [one.mean for one in found],
        places,
        xerr=[one.deviation for one in found],
        color=_figures.COLOURS[0],
        marker=_figures.MARKERS[0],
        linestyle="none",
        capsize=3,
    )
    panel.set_yticks(places, list(values))
    panel.set_ylim(len(found) - 0.5, -0.5)


def plot(width=4.8, height=3.4, columns=1):
    """A figure and a list of its panels."""
    figure, axes = _figures.new_figure(width * columns, height, columns=columns)
    return figure, list(axes[0])


def legend(panel, **more):
    """A legend in the house's look."""
    _figures.legend(panel, **more)

"""Whether a model is as sure as it is right."""

from collections.abc import Mapping

import numpy as np

from keras_kd import _figures
from keras_kd._checks import invalid


def reliability_diagram(reliability, *, title=""):
    """Accuracy against confidence, over bins of equal confidence.

    Args:
        reliability: what `keras_kd.explain.reliability` gives, or a dict of name to
            that, such as `{"teacher": ..., "student": ...}`.
        title: str, above the figure.

    Returns:
        A `matplotlib.figure.Figure`: points on the dashed line are calibrated, those
        below it overconfident; a larger point is of more examples.

    Raises:
        ValueError: There is nothing in it.

    Reference:
        Guo et al., 2017, https://arxiv.org/abs/1706.04599.
        Departures: points in the place of bars, so that models can be compared.

    Example:
        `reliability_diagram({"student": explain.reliability(logits, labels)})`
    """
    models = reliability if isinstance(reliability, Mapping) else {"": reliability}
    if not models:
        raise invalid(
            "keras_kd.report.reliability_diagram",
            "the reliability of a model",
            "none",
            "Pass what keras_kd.explain.reliability gives.",
        )
    figure, axes = _figures.new_figure(4.8, 4.4)
    panel = axes[0, 0]
    panel.plot([0, 100], [0, 100], "--", color=_figures.INK, linewidth=1)
    for number, (name, one) in enumerate(models.items()):
        _draw(panel, one, name, number)
    panel.set_xlim(0, 103)
    panel.set_ylim(0, 103)
    panel.set_aspect("equal")
    panel.set_xlabel("confidence (%)")
    panel.set_ylabel("accuracy (%)")
    _figures.title(panel, _figures.plain(title), loc="left")
    _figures.legend(figure, loc="outside upper left", ncols=1)
    return figure


def _draw(panel, one, name, number):
    count = np.asarray(one.count, float)
    filled = count > 0
    shares = count[filled] / max(1, count.sum())
    colour = _figures.COLOURS[number % len(_figures.COLOURS)]
    marker = _figures.MARKERS[number % len(_figures.MARKERS)]
    confidence = 100 * np.asarray(one.confidence, float)[filled]
    accuracy = 100 * np.asarray(one.accuracy, float)[filled]
    panel.plot(confidence, accuracy, "-", color=colour, linewidth=1, alpha=0.6)
    # Even a bin of one example shall be seen.
    sizes = 14 + 90 * shares
    panel.scatter(
        confidence,
        accuracy,
        sizes,
        color=colour,
        marker=marker,
        alpha=0.85,
        zorder=3,
        clip_on=False,
    )
    label = f"{_figures.plain(name)}: ECE {100 * one.ece:.1f} %".lstrip(": ")
    panel.plot([], [], marker=marker, color=colour, label=label)

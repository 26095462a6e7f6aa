"""Which classes a teacher helped."""

import numpy as np

from keras_kd import _figures
from keras_kd._checks import invalid

_MOST_CLASSES = 20


def outcome_bars(outcomes, class_names):
    """How many examples of each class the teacher helped and hurt.

    Args:
        outcomes: what `keras_kd.explain.outcomes` gives.
        class_names: sequence of str, in the order of the labels.

    Returns:
        A `matplotlib.figure.Figure`: up are examples that the distilled student alone
        decides right, down those that the other alone does. Of more than 20 classes the
        20 that changed most are drawn.

    Raises:
        ValueError: There are not as many names as classes.

    Example:
        `outcome_bars(explain.outcomes(y, teacher, student, scratch), data.class_names)`
    """
    classes = outcomes.by_class
    if len(classes) != len(class_names):
        raise invalid(
            "keras_kd.report.outcome_bars",
            f"{len(classes)} class names",
            len(class_names),
            "Name each class once, in the order of the labels.",
        )
    most = sorted(classes, key=lambda one: -(one.helped + one.hurt))[:_MOST_CLASSES]
    shown = sorted(most, key=lambda one: one.label)
    figure, axes = _figures.new_figure(4.8, 4.0)
    panel = axes[0, 0]
    places = np.arange(len(shown))
    other = (
        "the one from labels alone" if outcomes.against == "scratch" else "the teacher"
    )
    bars = (
        ("helped: only the distilled student is right", 1, "helped", _figures.SKY),
        (f"hurt: only {other} is right", -1, "hurt", _figures.ORANGE),
    )
    for label, sign, field, colour in bars:
        values = [sign * getattr(one, field) for one in shown]
        panel.bar(places, values, 0.7, color=colour, label=label)
    panel.axhline(0, color=_figures.INK, linewidth=1)
    names = [_figures.plain(class_names[one.label]) for one in shown]
    is_long = max(map(len, names)) > 2
    panel.set_xticks(places, names, rotation=90 if is_long else 0, fontsize=8)
    panel.yaxis.get_major_locator().set_params(integer=True)
    panel.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    largest = max(max(one.helped, one.hurt) for one in shown)
    panel.set_ylim(-max(1, largest) * 1.15, max(1, largest) * 1.15)
    panel.grid(visible=False, axis="x")
    panel.set_xlabel("true class")
    panel.set_ylabel("examples")
    _figures.legend(figure, loc="outside upper left")
    return figure

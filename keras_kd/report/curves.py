"""How training went."""

from collections.abc import Mapping

from keras_kd import _figures
from keras_kd._checks import invalid


def learning_curves(history, *, metric="accuracy"):
    """Loss and a metric over the epochs, on training and validation data.

    Args:
        history: what `fit` returns, its dict of lists, or a dict of several such by
            name, which share a colour for each name.
        metric: str, what the second panel shows, in [0, 1]; of those without it only
            the loss is drawn.

    Returns:
        A `matplotlib.figure.Figure`; solid lines are training, dashed ones validation.

    Raises:
        ValueError: There is no loss in it.

    Example:
        >>> figure = learning_curves({"loss": [2.0, 1.0], "accuracy": [0.3, 0.6]})
        >>> [panel.get_ylabel() for panel in figure.axes]
        ['loss', 'accuracy (%)']
    """
    curves = _by_name(history)
    shown = [("loss", "loss", 1)]
    if any(metric in logs for logs in curves.values()):
        shown.append((metric, f"{metric} (%)", 100))
    figure, axes = _figures.new_figure(3.4 * len(shown), 3.2, columns=len(shown))
    for panel, (quantity, label, factor) in zip(axes[0], shown, strict=True):
        _draw(panel, curves, quantity, factor)
        panel.set_ylabel(label)
    for label, line in (("training", "-"), ("validation", "--")):
        axes[0, 0].plot([], [], line, color=_figures.INK, label=label)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    look = {"loc": "outside upper left", "ncols": min(4, len(labels))}
    _figures.legend(figure, handles=handles, **look)
    return figure


def _draw(panel, curves, quantity, factor):
    for number, (name, logs) in enumerate(curves.items()):
        colour = _figures.COLOURS[number % len(_figures.COLOURS)]
        for key, line in ((quantity, "-"), (f"val_{quantity}", "--")):
            values = [factor * value for value in logs.get(key, ())]
            said = _figures.plain(name) if line == "-" and name else None
            epochs = range(1, len(values) + 1)
            panel.plot(epochs, values, line, color=colour, label=said)
    panel.set_xlabel("epoch")
    panel.xaxis.get_major_locator().set_params(integer=True)


def _by_name(history):
    """A dict of name to logs; the name of a single history is empty."""
    history = getattr(history, "history", history)
    curves = {"": history} if _is_logs(history) else history
    if not isinstance(curves, Mapping) or not curves:
        raise _no_loss(history)
    curves = {name: getattr(one, "history", one) for name, one in curves.items()}
    for logs in curves.values():
        if not _is_logs(logs):
            raise _no_loss(logs)
    return curves


def _is_logs(value):
    return isinstance(value, Mapping) and isinstance(value.get("loss"), list | tuple)


def _no_loss(got):
    shown = sorted(map(str, got)) if isinstance(got, Mapping) else repr(got)
    return invalid(
        "keras_kd.report.learning_curves",
        'a history with "loss", as fit returns it',
        shown,
        "Pass what fit returned.",
    )

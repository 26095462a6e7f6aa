"""Class against class, as coloured squares."""

import numpy as np

from keras_kd import _figures
from keras_kd._checks import invalid

_MOST_NUMBERS = 12
_MOST_NAMES = 30
# Above this share of the darkest blue, white can be read better than ink.
_DARK = 0.8


def confusion(labels, predictions, class_names, *, title=""):
    """How often each class was taken for which.

    Args:
        labels: int `(n,)`, the true classes.
        predictions: int `(n,)`, the chosen classes.
        class_names: sequence of str, in the order of the labels.
        title: str, above the figure.

    Returns:
        A `matplotlib.figure.Figure`: a row is a true class, a column a chosen one, the
        colour its share of the row, the number how many examples.

    Raises:
        ValueError: Shapes differ, or a label is no class.

    Example:
        >>> figure = confusion([0, 1, 1], [0, 1, 0], ["cat", "dog"])
        >>> figure.axes[0].get_ylabel()
        'true class'
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    _check(labels, predictions, len(class_names))
    counts = np.zeros((len(class_names),) * 2, int)
    np.add.at(counts, (labels, predictions), 1)
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    texts = [[f"{count}" if count else "" for count in row] for row in counts]
    return _matrix(
        100 * shares,
        texts,
        class_names,
        title,
        ("chosen class", "share of the true class (%)"),
        100,
    )


def soft_target_matrix(matrix, class_names, *, title=""):
    """What the teacher says of each class on the average.

    Args:
        matrix: float `(k, k)`, the mean soft target of each true class, a row each, as
            `keras_kd.explain.class_similarity` gives it.
        class_names: sequence of k str.
        title: str, above the figure.

    Returns:
        A `matplotlib.figure.Figure`; the numbers are per cent. The diagonal, which the
        labels say too, has no colour, so that the rest can be told apart.

    Raises:
        ValueError: The matrix is not `(k, k)`.

    Example:
        >>> figure = soft_target_matrix([[0.9, 0.1], [0.2, 0.8]], ["cat", "dog"])
        >>> figure.axes[0].get_xlabel()
        'class of the soft target'
    """
    matrix = np.asarray(matrix, float)
    if matrix.shape != (len(class_names),) * 2:
        raise invalid(
            "keras_kd.report.soft_target_matrix",
            f"a matrix of {len(class_names)} rows and columns, as there are classes",
            matrix.shape,
            "Pass what class_similarity gives, and the names in the labels' order.",
        )
    texts = [
        [f"{100 * value:.0f}" if value >= 0.005 else "" for value in row]
        for row in np.nan_to_num(matrix)
    ]
    off = np.where(np.eye(len(matrix)), np.nan, matrix)
    largest = 100 * max(0.01, np.nanmax(off, initial=0.0))
    labels = ("class of the soft target", "mean probability (%)")
    return _matrix(100 * off, texts, class_names, title, labels, largest)


def _check(labels, predictions, count):
    where = "keras_kd.report.confusion"
    if labels.ndim != 1 or labels.shape != predictions.shape:
        raise invalid(
            where,
            "`labels` and `predictions` of one shape (n,)",
            f"{labels.shape} and {predictions.shape}",
            "Pass one class number an example.",
        )
    for name, values in (("labels", labels), ("predictions", predictions)):
        is_class = np.issubdtype(values.dtype, np.integer) or not len(values)
        if not is_class or (
            len(values) and not 0 <= values.min() <= values.max() < count
        ):
            raise invalid(
                where,
                f"`{name}` to be class numbers from 0 to {count - 1}",
                f"{values.dtype} {np.unique(values)[:8].tolist()}",
                "Give a name for each class, in the order of the labels.",
            )


def _matrix(values, texts, class_names, title, labels, largest):
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = _figures.new_figure(4.8, 4.4)
    panel = axes[0, 0]
    # From nothing to blue, so that it suits a light page and a dark one.
    clear = LinearSegmentedColormap.from_list(
        "clear", [(0.0, 0.45, 0.70, 0.0), (0.0, 0.45, 0.70, 1.0)]
    )
    image = panel.imshow(
        np.ma.masked_invalid(values), cmap=clear, vmin=0, vmax=largest, aspect="equal"
    )
    panel.grid(visible=False)
    _name_ticks(panel, class_names)
    panel.set_xlabel(labels[0])
    panel.set_ylabel("true class")
    _figures.title(panel, _figures.plain(title), loc="left")
    if len(class_names) <= _MOST_NUMBERS:
        _write_numbers(panel, values > _DARK * largest, texts)
    bar = figure.colorbar(image, ax=panel, shrink=0.75, label=labels[1])
    bar.outline.set_edgecolor(_figures.INK)
    bar.ax.tick_params(colors=_figures.INK, labelsize=8)
    bar.ax.yaxis.label.set(color=_figures.INK, fontsize=9)
    return figure


def _name_ticks(panel, class_names):
    step = -(-len(class_names) // _MOST_NAMES)
    places = range(0, len(class_names), step)
    names = [_figures.plain(class_names[place]) for place in places]
    is_long = max(map(len, names), default=0) > 2
    panel.set_xticks(places, names, rotation=90 if is_long else 0, fontsize=8)
    panel.set_yticks(places, names, fontsize=8)


def _write_numbers(panel, are_dark, texts):
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            panel.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=8,
                color="white" if are_dark[row, column] else _figures.INK,
            )

"""Where models look, beside the images."""

from collections.abc import Mapping

import numpy as np

from keras_kd import _figures
from keras_kd._checks import invalid

_WHERE = "keras_kd.report.map_grid"
_STRENGTH = 0.75
_LONGEST_LINE = 13


def map_grid(images, maps, names=None):
    """Images in a row, and below each of them where every model looks.

    Args:
        images: float or int `(n, height, width, channels)`, 1 or 3 channels; shown
            from their least to their largest value.
        maps: what `keras_kd.explain.maps` gives, or a dict of model name to float
            `(n, height, width)` in [0, 1], such as `{"teacher": ..., "student": ...}`;
            an empty one for the images alone.
        names: sequence of n str above the images, such as their classes, in one line
            or several; or None.

    Returns:
        A `matplotlib.figure.Figure`; the brighter, the more it counts.

    Raises:
        ValueError: Shapes do not belong together.

    Example:
        >>> import numpy as np
        >>> images, map_ = np.zeros((2, 8, 8, 1)), np.eye(8)
        >>> figure = map_grid(images, {"teacher": [map_, map_]}, ["0", "1"])
        >>> len(figure.axes)
        4
    """
    images = np.asarray(images, float)
    if not isinstance(maps, Mapping):
        maps = {"teacher": maps.teacher, "student": maps.student}
    maps = {name: np.asarray(values, float) for name, values in maps.items()}
    _check(images, maps, names)
    size = 1.05 if maps else 0.85
    rows = 1 + len(maps)
    figure, axes = _figures.new_figure(
        0.2 + size * len(images), 0.3 + size * rows, rows=rows, columns=len(images)
    )
    for panel in axes.flat:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    for number, image in enumerate(images):
        _show(axes[0, number], image)
        if names is not None:
            _name(axes[0, number], names[number])
    if maps:
        axes[0, 0].set_ylabel("image")
    for row, (name, values) in enumerate(maps.items(), start=1):
        axes[row, 0].set_ylabel(_figures.plain(name))
        for number, value in enumerate(values):
            _show(axes[row, number], images[number])
            axes[row, number].imshow(
                value, cmap="inferno", vmin=0, vmax=1, alpha=_STRENGTH
            )
    return figure


def _name(panel, name):
    lines = [_figures.plain(line, _LONGEST_LINE) for line in str(name).split("\n")]
    size = 9 if max(map(len, lines)) <= _LONGEST_LINE / 2 else 7
    _figures.title(panel, "\n".join(lines), fontsize=size)


def _check(images, maps, names):
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise invalid(
            _WHERE,
            "images (n, height, width, channels) of 1 or 3 channels",
            images.shape,
            "Pass a few images as the models take them.",
        )
    for name, values in maps.items():
        if values.shape != images.shape[:3]:
            raise invalid(
                _WHERE,
                f'maps "{name}" of shape {images.shape[:3]}, as the images',
                values.shape,
                "Pass the maps of these images.",
            )
    if names is not None and len(names) != len(images):
        raise invalid(
            _WHERE, f"{len(images)} names", len(names), "Name each image, or none."
        )


def _show(panel, image):
    low, high = image.min(), image.max()
    shown = (image - low) / (high - low if high > low else 1)
    if image.shape[-1] == 1:
        panel.imshow(shown[..., 0], cmap="gray", vmin=0, vmax=1)
    else:
        panel.imshow(shown)


def of_each_class(labels, count):
    """Which examples to show: the first of every class, then the second, and so on.

    Args:
        labels: int `(n,)`.
        count: int, how many at most.

    Returns:
        Int array, places in `labels`.

    Example:
        >>> of_each_class([7, 7, 7, 3], 3).tolist()
        [3, 0, 1]
    """
    order = np.argsort(labels, kind="stable")
    _, sizes = np.unique(labels, return_counts=True)
    turn = np.concatenate([np.arange(size) for size in sizes])
    return order[np.argsort(turn, kind="stable")][:count]

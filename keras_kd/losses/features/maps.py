"""Feature maps of different sizes made comparable, as the reference code does it."""

import keras
import numpy as np
from keras import layers, ops

# PyTorch's settings, with which the published numbers were made (Keras: 1e-3, 0.99).
BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}


def adaptive_average_pool(maps, height, width):
    """The mean over bins that tile the map, of any size ratio.

    Bin i of m covers the rows floor(i·H/m) … ceil((i+1)·H/m) - 1, so that bins overlap
    or vary in size where H is no multiple of m (PyTorch's `AdaptiveAvgPool2d`).

    Args:
        maps: float `(batch, H, W, channels)`, H and W known.
        height: int, rows of the result.
        width: int, columns of the result.

    Returns:
        Float `(batch, height, width, channels)`.

    Example:
        >>> maps = ops.reshape(ops.arange(16.0), (1, 4, 4, 1))
        >>> ops.convert_to_numpy(adaptive_average_pool(maps, 1, 2)).ravel().tolist()
        [6.5, 8.5]
    """
    rows = ops.convert_to_tensor(_bins(maps.shape[1], height))
    columns = ops.convert_to_tensor(_bins(maps.shape[2], width))
    maps = ops.einsum("mh,bhwc->bmwc", rows, maps)
    return ops.einsum("nw,bmwc->bmnc", columns, maps)


def match_heights(teacher_maps, student_maps):
    """Pools the taller of two maps to the height of the other, as a square.

    Args:
        teacher_maps: float `(batch, H, W, channels)`.
        student_maps: the same, of any other size.

    Returns:
        Both maps; unchanged if their heights are equal.

    Example:
        >>> big, small = ops.ones((1, 4, 4, 2)), ops.ones((1, 3, 3, 5))
        >>> [tuple(maps.shape) for maps in match_heights(big, small)]
        [(1, 3, 3, 2), (1, 3, 3, 5)]
    """
    height = min(teacher_maps.shape[1], student_maps.shape[1])
    if teacher_maps.shape[1] > height:
        teacher_maps = adaptive_average_pool(teacher_maps, height, height)
    if student_maps.shape[1] > height:
        student_maps = adaptive_average_pool(student_maps, height, height)
    return teacher_maps, student_maps


def convolution(channels, kernel_size=1, *, use_bias=False, name=None):
    """A convolution that keeps the size of the map, initialised for ReLU.

    Args:
        channels: int.
        kernel_size: int.
        use_bias: bool.
        name: str or None.

    Returns:
        A `keras.layers.Conv2D` in float32.

    Example:
        >>> tuple(convolution(3)(ops.ones((1, 2, 2, 4))).shape)
        (1, 2, 2, 3)
    """
    return layers.Conv2D(
        channels,
        kernel_size,
        padding="same",
        use_bias=use_bias,
        kernel_initializer="he_normal",
        dtype="float32",
        name=name,
    )


def stack(*parts):
    """Layers in a row that a loss owns and trains, in float32.

    Args:
        *parts: Keras layers.

    Returns:
        A `keras.Sequential`, to be built with `(batch, height, width, channels)`.

    Example:
        >>> tuple(stack(convolution(3), layers.ReLU())(ops.ones((1, 2, 2, 4))).shape)
        (1, 2, 2, 3)
    """
    return keras.Sequential(list(parts))


def _bins(size, count):
    """A `(count, size)` matrix whose rows average over one bin each."""
    matrix = np.zeros((count, size), "float32")
    for row in range(count):
        start, stop = row * size // count, -(-(row + 1) * size // count)
        matrix[row, start:stop] = 1.0 / (stop - start)
    return matrix

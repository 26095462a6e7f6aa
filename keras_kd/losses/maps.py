"""Feature maps of different sizes made comparable, as the reference code does it."""

import keras
import numpy as np
from keras import layers, ops

from keras_kd._checks import invalid

# PyTorch's settings, with which the published numbers were made (Keras: 1e-3, 0.99).
BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}

# What layers are to give, and what to do where they do not.
_MAPS = "maps (height, width, channels)", "Name layers before the pooling."
_MAPS_OF_FIXED_SIZE = (
    "maps (height, width, channels) of a fixed size",
    "Name layers before the pooling, of models with a fixed input.",
)


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


def as_float32(teacher_maps, student_maps):
    """Both maps in float32, the teacher's as a constant.

    Args:
        teacher_maps: float tensor or array of any dtype and shape.
        student_maps: the same.

    Returns:
        Both as tensors; no gradient reaches the teacher's.

    Example:
        >>> teacher, _ = as_float32(ops.ones((1, 2), "float16"), ops.ones((1, 2)))
        >>> teacher.dtype.name
        'float32'
    """
    teacher_maps = ops.stop_gradient(ops.cast(teacher_maps, "float32"))
    return teacher_maps, ops.cast(student_maps, "float32")


def check_equal_shapes(where, teacher_maps, student_maps):
    """Raises unless two maps have the same height, width and channels."""
    if tuple(teacher_maps.shape[1:]) != tuple(student_maps.shape[1:]):
        raise invalid(
            where,
            f"student maps of shape {tuple(teacher_maps.shape[1:])} like the teacher's",
            tuple(student_maps.shape[1:]),
            "Bring them to one shape first, as the class of the loss does.",
        )


def map_shapes(loss, teacher_shapes, student_shapes, *, fixed_size=True, fix=None):
    """The shapes of a loss's pairs of layers, known to be those of feature maps.

    Args:
        loss: a `LayerPairLoss`.
        teacher_shapes: `ModelOutputs` of shapes.
        student_shapes: the same.
        fixed_size: bool, whether height and width must be known too. Default True.
        fix: str, one sentence for the error; None for one that suits most losses.

    Returns:
        A list of `(teacher_shape, student_shape)`, each `(None, H, W, channels)`.

    Raises:
        ValueError: A layer gives no maps, or maps whose size is not fixed; the message
            names both layers of the pair.
    """
    pairs = loss.pairs(teacher_shapes.features, student_shapes.features)
    wanted, usual_fix = _MAPS_OF_FIXED_SIZE if fixed_size else _MAPS
    known = slice(1, None) if fixed_size else slice(-1, None)
    for number, pair in enumerate(pairs):
        if any(len(shape) != 4 or None in shape[known] for shape in pair):
            raise loss.layers_error(number, wanted, *pair, fix or usual_fix)
    return pairs


def matching_map_shapes(loss, teacher_shapes, student_shapes):
    """Like `map_shapes`, for maps that `match_heights` can bring to one size.

    Args:
        loss: a `LayerPairLoss`.
        teacher_shapes: `ModelOutputs` of shapes.
        student_shapes: the same.

    Returns:
        A list of `(teacher_shape, student_shape)`.

    Raises:
        ValueError: As in `map_shapes`; or the sizes differ and the smaller map is not
            square.
    """
    pairs = map_shapes(loss, teacher_shapes, student_shapes)
    for number, shapes in enumerate(pairs):
        if not heights_match(*shapes):
            raise loss.pair_error(
                number,
                "the height and width",
                *shapes,
                "Choose layers of one size, or square maps, which are pooled to it.",
            )
    return pairs


def heights_match(shape, other_shape):
    """Whether `match_heights` brings maps of two shapes to one size.

    Args:
        shape: tuple `(batch, height, width, channels)`.
        other_shape: the same.

    Returns:
        True if the sizes are equal, or the heights differ and the smaller is square.

    Example:
        >>> heights_match((None, 4, 3, 2), (None, 8, 6, 2))
        False
    """
    shapes = (shape, other_shape)
    height = min(shape[1] for shape in shapes)
    widths = {height if shape[1] > height else shape[2] for shape in shapes}
    return len(widths) == 1

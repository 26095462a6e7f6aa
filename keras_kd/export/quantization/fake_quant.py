"""Rounding floats to what so many bits can hold, with gradients as if nothing happened.

TensorFlow's converter recognises these operations and takes their bounds for the scales
of the file.
"""

import contextlib
import contextvars

import keras
from keras import ops

ACTIVATION_BITS = 8
# Narrower, and the factor by which a file rescales sums would leave its range.
NARROWEST_RANGE = 1e-3
# A file stores biases as int32, in units of the scales of weights and input: those of
# a channel with next to no weights overflowed. So a channel's range is at least this
# part of the largest channel's, and of its bias (room for inputs that span 0.25).
LEAST_OF_LARGEST = 2.0**-12
LEAST_OF_BIAS = 2.0**-13
LEAST = 1e-8


def step_of(low, high):
    """The distance between two neighbouring levels of `fake_quantise`.

    Args:
        low: see there.
        high: see there.

    Returns:
        Float32 scalar.

    Example:
        >>> round(float(step_of(-1.0, 1.55)), 6)
        0.01
    """
    return (_at_least_narrowest(low, high) - low) / (2**ACTIVATION_BITS - 1)


def fake_quantise(x, low, high):
    """Activations, rounded to 256 levels between two bounds and clipped to them.

    Args:
        x: float32 tensor of any shape.
        low: float32 scalar, at most 0.
        high: float32 scalar, at least 0.

    Returns:
        Float32 of the same shape. The gradient passes where `x` was not clipped.

    Reference:
        Jacob et al., 2018, https://arxiv.org/abs/1712.05877.
        Departures: none.

    Example:
        >>> rounded = fake_quantise(ops.array([0.4, 300.0]), 0.0, 255.0)
        >>> ops.convert_to_numpy(rounded).tolist()
        [0.0, 255.0]
    """
    return keras.quantizers.fake_quant_with_min_max_vars(
        x,
        ops.convert_to_tensor(low, "float32"),
        _at_least_narrowest(low, high),
        num_bits=ACTIVATION_BITS,
    )


def fake_quantise_weights(weights, bias=None, *, num_bits, per_channel=True):
    """Weights, rounded to levels that lie symmetrically around zero.

    Args:
        weights: float32 tensor; channels are its last axis.
        bias: float32 tensor `(channels,)` or None, what is added to their results.
        num_bits: int, 4 or 8; one level less than they hold is used, for the symmetry.
        per_channel: bool, a range for each channel rather than one for all.

    Returns:
        Float32 of the same shape. The gradient passes unchanged.

    Reference:
        Krishnamoorthi, 2018, https://arxiv.org/abs/1806.08342, section 3.1.
        Departures: a lower bound for the ranges, see `LEAST_OF_BIAS`.

    Example:
        >>> weights = ops.array([[7.0, 2.4]])
        >>> rounded = fake_quantise_weights(weights, num_bits=4, per_channel=False)
        >>> ops.convert_to_numpy(rounded).tolist()
        [[7.0, 2.0]]
    """
    largest = weights_range(weights, bias, per_channel=per_channel)
    return keras.quantizers.fake_quant_with_min_max_vars(
        weights,
        -largest,
        largest,
        num_bits=num_bits,
        narrow_range=True,
        axis=-1 if per_channel else None,
    )


def weights_range(weights, bias=None, *, per_channel=True):
    """The largest weight that can be held; the smallest is its negative.

    Args:
        weights: see `fake_quantise_weights`.
        bias: see there.
        per_channel: see there.

    Returns:
        Float32 `(channels,)`, or a scalar.

    Example:
        >>> float(weights_range(ops.array([[-7.0, 2.4]]), per_channel=False))
        7.0
    """
    sizes = ops.abs(weights)
    largest = ops.maximum(ops.max(sizes), LEAST)
    needed = 0.0 if bias is None else LEAST_OF_BIAS * ops.abs(bias)
    if per_channel:
        own = ops.max(sizes, axis=list(range(len(weights.shape) - 1)))
        largest = ops.maximum(own, LEAST_OF_LARGEST * largest)
    else:
        needed = ops.max(needed)
    # The ranges bound the weights; what is needed for biases moves no weight.
    return ops.maximum(largest, ops.stop_gradient(needed))


def fake_quantise_bias(bias, largest, *, num_bits, input_step):
    """A bias, rounded to the products of the steps of input and weights.

    Args:
        bias: float32 tensor `(channels,)`.
        largest: the `weights_range` of the weights it belongs to.
        num_bits: int, of the weights.
        input_step: float32 scalar, see `sources.input_step`; None if it is not known,
            for the bias as it is.

    Returns:
        Float32 of the same shape. The gradient passes unchanged.

    Example:
        >>> bias, largest = ops.array([1.0]), ops.array(127.0)
        >>> float(fake_quantise_bias(bias, largest, num_bits=8, input_step=0.75)[0])
        0.75
    """
    if input_step is None:
        return bias
    step = product_step(largest, num_bits=num_bits, input_step=input_step)
    return bias + ops.stop_gradient(ops.round(bias / step) * step - bias)


def product_step(largest, *, num_bits, input_step):
    """The product of a step of the weights and one of the input.

    Args:
        largest: the `weights_range` of the weights.
        num_bits: int, of the weights.
        input_step: float32 scalar.

    Returns:
        Float32 of the shape of `largest`.

    Example:
        >>> float(product_step(ops.array(7.0), num_bits=4, input_step=0.5))
        0.5
    """
    return ops.stop_gradient(largest * (input_step / (2 ** (num_bits - 1) - 1)))


def rescale_twice(x, step, output_step):
    """Sums as TFLite rescales them: rounded before the shift that ends in the output.

    A sum of whole products is multiplied by a number in [0.5, 1), rounded, shifted
    right by k bits, and rounded again, halves up. Where k is small, as with 4-bit
    weights, one output in a hundred is another than by one rounding.

    Args:
        x: float32 `(..., channels)`, sums of products.
        step: float32 `(channels,)`, see `product_step`.
        output_step: float32 scalar, of what `x` is rounded to afterwards.

    Returns:
        Float32 of the same shape. The gradient passes unchanged.

    Reference:
        Jacob et al., 2018, https://arxiv.org/abs/1712.05877, section 2.2.
        Departures: halves of negative numbers go up, as LiteRT's kernels of x86-64 do,
        and not away from zero.

    Example:
        >>> step = ops.array([0.3])  # k = 1: 1.2 becomes 1.0 in halves, 1.3 becomes 1.5
        >>> rescaled = rescale_twice(ops.array([[1.2, 1.3]]), step, 1.0)
        >>> ops.convert_to_numpy(ops.round(rescaled)).tolist()
        [[1.0, 2.0]]
    """
    if _for_converter.get():
        return x
    shift = -ops.floor(ops.log2(step / output_step)) - 1.0
    grid = ops.stop_gradient(output_step * 2.0 ** -ops.maximum(shift, 0.0))
    whole = ops.round(x / grid)
    # A little more, so that a half that is left is rounded up.
    rescaled = (whole + 1.0 / 64.0) * grid
    return x + ops.stop_gradient(rescaled - x)


_for_converter = contextvars.ContextVar("for_converter", default=False)


@contextlib.contextmanager
def for_converter():
    """Models traced inside it leave out what the file's kernels do by themselves."""
    token = _for_converter.set(True)
    try:
        yield
    finally:
        _for_converter.reset(token)


def _at_least_narrowest(low, high):
    return ops.maximum(high, low + NARROWEST_RANGE)

"""Real factors and exponentials in integers, as TensorFlow Lite has them."""

import math

_MOST, _LEAST = 2**31 - 1, -(2**31)
# exp(-2^k) * 2^31 for k = -2 to 4, and exp(-1/8), 1/3.
_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_OF_MINUS_EIGHTH, _THIRD = 1895147668, 715827883
# Differences before a softmax have 5 bits before the point, and 26 behind.
_WHOLE_BITS, _FRACTION_BITS = 5, 26


def quantised_factor(real):
    """A real factor as `(multiplier, shift)`: multiplier / 2^31 * 2^shift.

    Args:
        real: float ≥ 0.

    Example:
        >>> quantised_factor(0.75)
        (1610612736, 0)
        >>> quantised_factor(0.25)
        (1073741824, -1)
    """
    fraction, shift = math.frexp(real)
    multiplier = _round(fraction * 2**31)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def exponentials(factor):
    """exp(-difference * factor) * 2^31 for differences 0 to 255, 0 for the smallest.

    Args:
        factor: float > 0, the scale of the softmax's input times its beta.

    Returns:
        A list of 256 int.
    """
    real = min(factor * 2**_FRACTION_BITS, 2**31 - 1.0)
    multiplier, shift = quantised_factor(real)
    largest = math.floor((2**_WHOLE_BITS - 1) * 2.0 ** (31 - _WHOLE_BITS) / 2.0**shift)
    return [
        _exponential(_product(-difference << shift, multiplier))
        if difference <= largest
        else 0
        for difference in range(256)
    ]


def _exponential(value):
    """The exponential of a number ≤ 0 with 26 bits behind the point."""
    if value == 0:
        return _MOST
    quarter = 1 << (_FRACTION_BITS - 2)
    rest = (value & (quarter - 1)) - quarter
    result = _exponential_of_a_quarter(_shifted_up(rest, _WHOLE_BITS))
    quarters = (rest - value) // quarter
    for bit, power in enumerate(_POWERS):
        if quarters >> bit & 1:
            result = _product(result, power)
    return result


def _exponential_of_a_quarter(value):
    """That of a number in [-1/4, 0) of 2^31: Taylor's series around -1/8."""
    x = value + (1 << 28)
    x2 = _product(x, x)
    x3, x4 = _product(x2, x), _product(x2, x2)
    series = _product(_shifted_down(x4, 2) + x3, _THIRD) + x2
    return _EXP_OF_MINUS_EIGHTH + _product(
        _EXP_OF_MINUS_EIGHTH, x + _shifted_down(series, 1)
    )


def _product(a, b):
    """The product over 2^31, rounded to the nearest; of two, the larger."""
    product = a * b
    half = 2**30 if product >= 0 else 1 - 2**30
    whole = abs(product + half) >> 31
    return whole if product + half >= 0 else -whole


def _shifted_down(value, bits):
    """Rounded to the nearest; of two, the one farther from 0."""
    threshold = ((1 << bits) - 1 >> 1) + (value < 0)
    return (value >> bits) + ((value & ((1 << bits) - 1)) > threshold)


def _shifted_up(value, bits):
    return max(_LEAST, min(value << bits, _MOST))


def _round(value):
    """Half away from zero, as C does."""
    return math.floor(value + 0.5)

"""Factors and exponentials in integers against real ones."""

import math

import pytest

from keras_kd.export.plain_c.fixed_point import exponentials, quantised_factor


@pytest.mark.parametrize("real", [1e-6, 0.0037, 0.5, 0.99999999999, 1.0, 3.7, 200.0])
def test_factor_is_the_real_one_to_31_bits(real):
    multiplier, shift = quantised_factor(real)
    assert 2**30 <= multiplier < 2**31
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(real, rel=2**-31)


def test_factor_too_small_for_a_shift_is_none():
    assert quantised_factor(2.0**-33) == (0, 0)


@pytest.mark.parametrize("factor", [0.01, 0.05, 0.3])
def test_exponentials_are_real_ones_to_6_digits(factor):
    """Taylor's series leaves (1/8)^5 / 5! at most."""
    for difference, value in enumerate(exponentials(factor)):
        expected = math.exp(-difference * factor)
        most = (1 / 8) ** 5 / math.factorial(5)
        assert value / 2**31 == pytest.approx(expected, abs=most)


def test_exponentials_of_more_than_31_are_0():
    found = exponentials(1.0)
    assert found[32:] == [0] * 224
    assert found[0] == 2**31 - 1

"""Wilson's interval against its formula."""

import math

import pytest

from keras_kd.export import accuracy


@pytest.mark.parametrize(("right", "total"), [(0, 10), (7, 10), (531, 540), (10, 10)])
def test_interval_equals_wilsons_formula(right, total):
    result = accuracy([1] * total, [1] * right + [0] * (total - right))
    z, p = 1.959963984540054, right / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    root = math.sqrt(p * (1 - p) / total + z * z / (4 * total**2))
    half = z * root / (1 + z * z / total)
    assert result.value == p
    assert result.ci95 == pytest.approx((centre - half, centre + half), abs=1e-9)

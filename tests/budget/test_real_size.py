"""The largest student of a MobileNetV2 within a megabyte."""

import pytest

from keras_kd.budget import within

LIMIT = 1_000_000
# So that few widths are tried: the arithmetic is that of every search.
COARSE = {"divisor": 32, "cache": False}


@pytest.mark.slow
@pytest.mark.parametrize(
    "precision", ["int8", pytest.param("dynamic_int8", marks=pytest.mark.release)]
)
def test_student_within_a_megabyte_has_its_weights_in_it(small_mobilenet, precision):
    found = within(small_mobilenet, max_size_bytes=LIMIT, precision=precision, **COARSE)
    assert found.chosen.size_bytes <= LIMIT
    # A weight takes a byte; what is normalised is folded into others.
    assert found.chosen.size_bytes > 0.9 * found.student.count_params()
    next_larger = [one for one in found.tried if one.params > found.chosen.params]
    assert all(one.size_bytes > LIMIT for one in next_larger)

"""Pearson distillation against SciPy's correlation."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from keras_kd.losses.features.pearson import PearsonDistillation, pearson_gap
from keras_kd.outputs import ModelOutputs

TEACHER, STUDENT = np.random.default_rng(0).normal(5, 2, (2, 3, 4, 5, 6))


def test_is_one_minus_the_mean_correlation():
    correlations = [
        pearsonr(TEACHER[..., channel].ravel(), STUDENT[..., channel].ravel())[0]
        for channel in range(6)
    ]
    expected = 59 / 60 * (1 - np.mean(correlations))
    assert float(pearson_gap(TEACHER, STUDENT)) == pytest.approx(expected, rel=1e-4)


def test_scale_and_offset_of_a_channel_do_not_count():
    changed = TEACHER * np.arange(1, 7) - np.arange(6)
    assert float(pearson_gap(TEACHER, changed)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("resize", ["student", "teacher"])
def test_maps_of_other_size_are_resized(resize):
    ramp = np.linspace(0, 1, 8)[None, None, :, None]
    large = np.broadcast_to(ramp, (2, 8, 8, 1))
    small = large.reshape(2, 4, 2, 4, 2, 1).mean(axis=(2, 4))
    assert float(pearson_gap(large, small, resize=resize)) < 0.01


def test_other_channels_are_refused():
    shapes = (
        ModelOutputs((None, 5), {"a": (None, 4, 4, 5)}),
        ModelOutputs((None, 5), {"b": (None, 4, 4, 6)}),
    )
    with pytest.raises(ValueError, match="Choose layers of equally many channels"):
        PearsonDistillation("a", "b").build(*shapes)

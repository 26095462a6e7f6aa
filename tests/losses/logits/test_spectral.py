"""SKD's direction-wise term against NumPy."""

import numpy as np
import pytest

from keras_kd.losses.logits.spectral import SpectralDistillation, direction_divergence

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 3, (6, 4)).astype("float32")
STUDENT = GENERATOR.normal(0, 3, (6, 4)).astype("float32")


def test_value_equals_numpy():
    def cosines(logits):
        unit = logits / np.linalg.norm(logits, axis=1, keepdims=True)
        return unit @ unit.T

    gap = cosines(STUDENT.astype("float64")) - cosines(TEACHER.astype("float64"))
    inverse = np.linalg.inv(np.cov(gap) + 0.1 * np.eye(6))
    expected = np.mean([np.sqrt(row @ inverse @ row) for row in gap])
    assert float(direction_divergence(TEACHER, STUDENT)) == pytest.approx(
        expected, rel=1e-5
    )


def test_lengths_of_logits_do_not_matter():
    lengths = np.array([[1], [2], [3], [4], [5], [6]], "float32")
    scaled = direction_divergence(TEACHER, lengths * STUDENT)
    assert float(scaled) == pytest.approx(
        float(direction_divergence(TEACHER, STUDENT)), rel=1e-4
    )


def test_one_example_has_no_loss():
    assert float(direction_divergence(TEACHER[:1], STUDENT[:1])) == pytest.approx(
        0.0, abs=1e-6
    )


def test_tikhonov_must_be_positive():
    with pytest.raises(ValueError, match="`tikhonov` to be a number above 0"):
        SpectralDistillation(0.0)

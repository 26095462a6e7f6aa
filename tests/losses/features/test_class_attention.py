"""Class attention transfer against NumPy."""

import numpy as np
import pytest

from keras_kd.losses.features.class_attention import (
    ClassAttentionDistillation,
    class_attention_gap,
)
from keras_kd.outputs import ModelOutputs

TEACHER, STUDENT = np.random.default_rng(0).normal(0, 2, (2, 3, 4, 4, 5))


def test_equals_numpy():
    sides = []
    for side in (TEACHER, STUDENT):
        pooled = side.reshape(3, 2, 2, 2, 2, 5).mean(axis=(2, 4)).reshape(3, 4, 5)
        sides.append(pooled / np.linalg.norm(pooled, axis=1, keepdims=True))
    expected = ((sides[0] - sides[1]) ** 2).mean(axis=(1, 2))
    np.testing.assert_allclose(
        class_attention_gap(TEACHER, STUDENT), expected, rtol=1e-4
    )


def test_strength_counts_only_without_normalisation():
    stronger = 3 * TEACHER
    np.testing.assert_allclose(class_attention_gap(TEACHER, stronger), 0, atol=1e-10)
    assert (class_attention_gap(TEACHER, stronger, normalize=False) > 0.1).numpy().all()


def test_maps_of_other_classes_are_refused():
    shapes = (
        ModelOutputs((None, 5), {"cam": (None, 8, 8, 5)}),
        ModelOutputs((None, 5), {"cam": (None, 8, 8, 16)}),
    )
    with pytest.raises(ValueError, match=r"got \(8, 8, 16\). End both models in a 1x1"):
        ClassAttentionDistillation("cam", "cam").build(*shapes)

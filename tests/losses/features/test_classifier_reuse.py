"""Classifier reuse: sizes, widths and the assembled student."""

import numpy as np
import pytest

from keras_kd.losses.features.classifier_reuse import (
    ClassifierReuseDistillation,
    projected_feature_gap,
)
from keras_kd.outputs import ModelOutputs


def test_gap_is_the_mean_square():
    teacher, student = np.random.default_rng(0).normal(size=(2, 3, 2, 2, 4))
    np.testing.assert_allclose(
        projected_feature_gap(teacher, student),
        ((teacher - student) ** 2).mean(axis=(1, 2, 3)),
        rtol=1e-4,
    )


@pytest.mark.parametrize(("teacher_height", "student_height"), [(4, 8), (8, 4)])
def test_the_taller_map_is_pooled(teacher_height, student_height):
    size, other = (teacher_height,) * 2, (student_height,) * 2
    teacher = ModelOutputs(np.ones((2, 3)), {"a": np.ones((2, *size, 8), "float32")})
    student = ModelOutputs(np.ones((2, 3)), {"b": np.ones((2, *other, 5), "float32")})
    loss = ClassifierReuseDistillation("a", "b")
    assert loss(teacher, student).shape == (2,)
    kernels = [tuple(w.shape) for w in loss.weights if len(w.shape) == 4]
    assert kernels == [(1, 1, 5, 4), (3, 3, 4, 4), (1, 1, 4, 8)]


def test_maps_that_cannot_be_matched_are_refused():
    shapes = (
        ModelOutputs((None, 5), {"a": (None, 4, 4, 5)}),
        ModelOutputs((None, 5), {"b": (None, 4, 6, 5)}),
    )
    with pytest.raises(ValueError, match='"b" to have the height and width of'):
        ClassifierReuseDistillation("a", "b").build(*shapes)

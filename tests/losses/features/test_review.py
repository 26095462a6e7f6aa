"""Knowledge review: the loss over sizes, and how the maps are fused."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.features.review import (
    ReviewDistillation,
    hierarchical_context_gap,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER, STUDENT = GENERATOR.normal(size=(2, 3, 4, 4, 5))
PATHS = ["shallow", "deep", "pooled"]


def outputs(sizes, channels):
    features = {
        path: GENERATOR.normal(size=(2, *size, count)).astype("float32")
        for path, size, count in zip(PATHS, sizes, channels, strict=True)
    }
    return ModelOutputs(np.zeros((2, 4), "float32"), features)


def test_gap_equals_numpy():
    gap = TEACHER - STUDENT
    halves = gap.reshape(3, 2, 2, 2, 2, 5).mean(axis=(2, 4))
    whole = gap.mean(axis=(1, 2))
    expected = (
        (gap**2).mean(axis=(1, 2, 3))
        + (halves**2).mean(axis=(1, 2, 3)) / 2
        + (whole**2).mean(axis=1) / 4
    ) / 1.75
    np.testing.assert_allclose(
        hierarchical_context_gap(TEACHER, STUDENT), expected, rtol=1e-4
    )


@pytest.mark.parametrize("sizes", [[(8, 8), (4, 4), ()], [(4, 6), (2, 3), (1, 1)]])
def test_maps_of_other_sizes_and_widths_are_fused(sizes):
    teacher = outputs([(8, 8), (4, 4), ()], [3, 5, 7])
    loss = ReviewDistillation(PATHS, PATHS)
    assert loss(teacher, outputs(sizes, [2, 4, 6]), training=True).shape == (2,)
    assert [fusion.attend is None for fusion in loss.fusions] == [True, False, False]


def test_the_deepest_layer_helps_all_shallower_ones():
    teacher = outputs([(8, 8), (4, 4), ()], [3, 5, 7])
    student = outputs([(8, 8), (4, 4), ()], [2, 4, 6])
    loss = ReviewDistillation(PATHS, PATHS)
    with tf.GradientTape() as tape:
        value = loss(teacher, student, training=True)
    gradients = tape.gradient(value, loss.trainable_variables)
    assert all(gradient is not None for gradient in gradients)


def test_width_of_the_fusion_is_that_of_the_deepest_layer_up_to_a_limit():
    one = outputs([(8, 8), (4, 4), ()], [3, 5, 7])
    for most, expected in ((512, 7), (4, 4)):
        loss = ReviewDistillation(PATHS, PATHS, most_channels=most)
        loss(one, one)
        assert {fusion.width for fusion in loss.fusions} == {expected}

"""Inter-channel correlation against NumPy."""

import numpy as np
import pytest

from keras_kd.losses.features.inter_channel import (
    InterChannelDistillation,
    inter_channel_gap,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER, STUDENT = GENERATOR.normal(size=(2, 3, 4, 4, 5))


def correlations(feature_map):
    flat = feature_map.reshape(-1, feature_map.shape[-1]).T
    products = flat @ flat.T
    return products / np.linalg.norm(products, axis=1, keepdims=True)


def test_equals_a_loop_over_examples():
    expected = [
        np.sum((correlations(ours) - correlations(theirs)) ** 2) / 5
        for ours, theirs in zip(TEACHER, STUDENT, strict=True)
    ]
    np.testing.assert_allclose(inter_channel_gap(TEACHER, STUDENT), expected, rtol=1e-4)


def test_neither_places_nor_scale_count():
    shuffled = 3 * TEACHER[:, ::-1, ::-1]
    np.testing.assert_allclose(inter_channel_gap(TEACHER, shuffled), 0, atol=1e-10)


def test_maps_of_other_size_and_width_are_compared():
    teacher = ModelOutputs(np.ones((3, 2)), {"a": TEACHER.astype("float32")})
    student = ModelOutputs(
        np.ones((3, 2)), {"b": GENERATOR.normal(size=(3, 2, 2, 7)).astype("float32")}
    )
    loss = InterChannelDistillation("a", "b")
    assert loss(teacher, student, training=True).shape == (3,)
    assert tuple(loss.weights[0].shape) == (1, 1, 7, 5)


def test_without_embedding_the_channels_must_agree():
    shapes = (
        ModelOutputs((None, 5), {"a": (None, 4, 4, 5)}),
        ModelOutputs((None, 5), {"b": (None, 4, 4, 6)}),
    )
    with pytest.raises(ValueError, match="leave `kernel_size` at 1"):
        InterChannelDistillation("a", "b", kernel_size=None).build(*shapes)

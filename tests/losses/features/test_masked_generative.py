"""Masked generation: what is hidden, when, and what the generator makes of it."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.features.masked_generative import (
    MaskedGenerativeDistillation,
    masked_generation_gap,
)
from keras_kd.outputs import ModelOutputs

TEACHER, STUDENT = np.random.default_rng(0).normal(size=(2, 4, 6, 6, 8))


def outputs(features):
    return ModelOutputs(np.zeros((4, 2)), {"map": features.astype("float32")})


def test_equals_numpy_with_a_given_mask():
    mask = np.array([1, 0, 1, 1, 0, 1, 1, 1])
    expected = ((2 * STUDENT * mask - TEACHER) ** 2).sum(axis=(1, 2, 3))
    ours = masked_generation_gap(
        TEACHER, STUDENT, mask=mask, generator=lambda maps: 2 * maps
    )
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("mask", "fraction", "axes"), [("channels", 0.15, (1, 2)), ("positions", 0.75, 3)]
)
def test_whole_channels_or_whole_positions_are_hidden(mask, fraction, axes):
    seen = []
    loss = MaskedGenerativeDistillation("map", "map", mask, seed=1)
    loss.build(*[ModelOutputs((None, 2), {"map": (None, 20, 20, 50)})] * 2)
    loss.generators = [lambda maps: seen.append(maps) or maps]
    ones = np.ones((20, 20, 20, 50), "float32")
    student = ModelOutputs(np.zeros((20, 2)), {"map": ones})
    loss(student, student, training=True)
    visible = np.asarray(seen[0])
    assert set(np.unique(visible)) == {0.0, 1.0}
    assert (visible.max(axis=axes) == visible.min(axis=axes)).all()
    assert visible.mean() == pytest.approx(1 - fraction, abs=0.05)


def test_masks_are_drawn_anew_in_training_only():
    loss = MaskedGenerativeDistillation("map", "map", seed=1)

    def value(training):
        return float(
            tf.reduce_sum(loss(outputs(TEACHER), outputs(STUDENT), training=training))
        )

    assert value(True) != value(True)
    assert value(False) == value(False)


def test_published_weight_depends_on_the_mask():
    assert MaskedGenerativeDistillation("a", "b").published_weight == 7e-5
    positions = MaskedGenerativeDistillation("a", "b", "positions")
    assert positions.published_weight == 2e-5


def test_student_of_other_width_is_aligned():
    loss = MaskedGenerativeDistillation("map", "map")
    value = loss(outputs(TEACHER), outputs(STUDENT[..., :3]), training=True)
    assert value.shape == (4,)
    assert tuple(loss.aligners[0].kernel.shape) == (1, 1, 3, 8)


def test_maps_of_other_size_are_refused():
    loss = MaskedGenerativeDistillation("map", "map")
    with pytest.raises(ValueError, match=r"height and width .* got \(3, 6, 8\)"):
        loss(outputs(TEACHER), outputs(STUDENT[:, :3]))


def test_unknown_mask_is_refused():
    with pytest.raises(ValueError, match='Did you mean "channels"'):
        MaskedGenerativeDistillation("a", "b", "channel")

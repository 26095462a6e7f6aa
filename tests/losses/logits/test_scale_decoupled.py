"""SDD: regions, and those that count double."""

import numpy as np
import pytest

from keras_kd.losses.logits.scale_decoupled import (
    ScaleDecoupledDistillation,
    scale_decoupled_divergence,
)
from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 3, (3, 5, 4)).astype("float32")
STUDENT = GENERATOR.normal(0, 3, (3, 5, 4)).astype("float32")
LABELS = TEACHER[:, 0].argmax(axis=-1) * [1, 1, 0]


def test_regions_that_disagree_with_the_image_count_double():
    each = np.array(soft_target_divergence(TEACHER, STUDENT, temperature=4.0))
    weights = np.ones((3, 5))
    for image in range(3):
        for region in range(5):
            on_image = TEACHER[image, 0].argmax() == LABELS[image]
            on_region = TEACHER[image, region].argmax() == LABELS[image]
            weights[image, region] += on_image != on_region
    ours = scale_decoupled_divergence(TEACHER, STUDENT, LABELS)
    assert set(weights.flat) == {1, 2}
    np.testing.assert_allclose(ours, (weights * each).mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("decoupled", [None, (1.0, 8.0)])
def test_maps_are_pooled_to_every_scale(decoupled):
    maps = GENERATOR.normal(0, 3, (2, 2, 4, 4, 5)).astype("float32")
    options = {"scales": (1, 2), "decoupled": decoupled}
    loss = ScaleDecoupledDistillation("t", "s", **options)
    ours = loss(
        ModelOutputs(maps[0, :, 0, 0], {"t": maps[0]}),
        ModelOutputs(maps[1, :, 0, 0], {"s": maps[1]}),
        [3, 0],
    )
    whole = maps.mean(axis=(2, 3))[:, :, None]
    quarters = maps.reshape(2, 2, 2, 2, 2, 2, 5).mean(axis=(3, 5)).reshape(2, 2, 4, 5)
    regions = np.concatenate([whole, quarters], axis=2)
    expected = scale_decoupled_divergence(*regions, [3, 0], decoupled=decoupled)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_labels_are_needed():
    with pytest.raises(ValueError, match="labels"):
        scale_decoupled_divergence(TEACHER, STUDENT, None)


@pytest.mark.parametrize("scales", [(), (2, 4)])
def test_scales_begin_with_the_whole_image(scales):
    with pytest.raises(ValueError, match="`scales` to begin with 1"):
        ScaleDecoupledDistillation("t", "s", scales=scales)

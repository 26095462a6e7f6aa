"""Pixel distillation: which pixels count, and how much."""

import numpy as np
import pytest

from keras_kd.losses.logits.pixel import PixelDistillation, pixel_divergence
from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 3, (2, 3, 4, 5)).astype("float32")
STUDENT = GENERATOR.normal(0, 3, (2, 3, 4, 5)).astype("float32")
LABELS = GENERATOR.choice([0, 1, 255], (2, 3, 4))


@pytest.mark.parametrize("divergence", ["kl", "cross_entropy"])
def test_each_image_gets_the_mean_over_its_pixels(divergence):
    options = {"temperature": 2.0, "divergence": divergence}
    each = np.array(soft_target_divergence(TEACHER, STUDENT, **options))
    ours = pixel_divergence(TEACHER, STUDENT, **options)
    np.testing.assert_allclose(ours, each.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("labels", [LABELS, LABELS[..., None]])
def test_ignored_pixels_do_not_count(labels):
    each = np.array(soft_target_divergence(TEACHER, STUDENT, temperature=1.0))
    ours = pixel_divergence(TEACHER, STUDENT, labels, ignored_label=255)
    assert ours.shape == (2,)
    assert np.mean(ours) == pytest.approx(each[LABELS != 255].mean(), rel=1e-5)


def test_loss_is_zero_where_all_is_ignored():
    labels = np.full((2, 3, 4), 255)
    ours = pixel_divergence(TEACHER, STUDENT, labels, ignored_label=255)
    np.testing.assert_array_equal(ours, [0, 0])


@pytest.mark.parametrize("labels", [None, LABELS[:, :2], LABELS[:, 0, 0]])
def test_labels_that_do_not_fit_are_an_error(labels):
    with pytest.raises(ValueError, match=r"labels of shape \('batch', 3, 4\)"):
        pixel_divergence(TEACHER, STUDENT, labels, ignored_label=255)


def test_maps_of_different_size_are_an_error():
    with pytest.raises(ValueError, match="maps of the same size"):
        PixelDistillation()(ModelOutputs(TEACHER), ModelOutputs(STUDENT[:, :2]))


def test_logits_of_one_decision_are_an_error():
    with pytest.raises(ValueError, match="Use SoftTargetDistillation"):
        PixelDistillation()(
            ModelOutputs(TEACHER[:, 0, 0]), ModelOutputs(STUDENT[:, 0, 0])
        )


def test_ignored_label_must_be_a_number():
    with pytest.raises(ValueError, match="`ignored_label` to be an integer"):
        PixelDistillation(ignored_label="void")

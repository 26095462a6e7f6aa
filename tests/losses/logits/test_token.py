"""Token distillation: which positions count, and how much."""

import numpy as np
import pytest

from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.losses.logits.token import TokenDistillation, token_divergence
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 3, (3, 4, 7)).astype("float32")
STUDENT = GENERATOR.normal(0, 3, (3, 4, 7)).astype("float32")
LABELS = np.array([[3, 1, 0, 0], [-100, -100, 2, 5], [-1, 6, 4, 2]])
EACH = np.array(soft_target_divergence(TEACHER, STUDENT, temperature=2.0))


@pytest.mark.parametrize(
    ("padding_label", "kept"),
    [(None, LABELS >= 0), (0, LABELS > 0), (2, (LABELS >= 0) & (LABELS != 2))],
)
def test_mean_over_the_batch_is_that_over_kept_positions(padding_label, kept):
    ours = token_divergence(
        TEACHER, STUDENT, LABELS, temperature=2.0, padding_label=padding_label
    )
    assert ours.shape == (3,)
    assert np.mean(ours) == pytest.approx(EACH[kept].mean(), rel=1e-5)


def test_without_labels_every_position_counts():
    ours = token_divergence(TEACHER, STUDENT, temperature=2.0)
    np.testing.assert_allclose(ours, EACH.mean(axis=1), rtol=1e-5)


def test_given_number_of_tokens_divides_the_sum():
    ours = token_divergence(TEACHER, STUDENT, LABELS, temperature=2.0, num_tokens=5)
    assert np.mean(ours) == pytest.approx(EACH[LABELS >= 0].sum() / 5, rel=1e-5)


def test_loss_is_zero_where_nothing_is_kept():
    ours = token_divergence(TEACHER, STUDENT, np.full((3, 4), -100))
    np.testing.assert_array_equal(ours, np.zeros(3))


def test_labels_may_have_a_last_axis_of_one():
    ours = token_divergence(TEACHER, STUDENT, LABELS[..., None])
    np.testing.assert_array_equal(ours, token_divergence(TEACHER, STUDENT, LABELS))


@pytest.mark.parametrize("labels", [LABELS[:, :3], LABELS[:, 0]])
def test_labels_of_another_shape_are_an_error(labels):
    with pytest.raises(ValueError, match=r"labels of shape \('batch', 4\)"):
        token_divergence(TEACHER, STUDENT, labels)


def test_logits_of_one_decision_are_an_error():
    loss = TokenDistillation()
    with pytest.raises(ValueError, match="Use SoftTargetDistillation"):
        loss(ModelOutputs(TEACHER[:, 0]), ModelOutputs(STUDENT[:, 0]))


def test_padding_label_must_be_an_integer():
    with pytest.raises(ValueError, match="`padding_label` to be an integer"):
        TokenDistillation(padding_label=0.5)

"""Losses on whole distributions and whole batches, against NumPy and SciPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import rel_entr, softmax
from scipy.stats import zscore

from keras_kd.losses import SoftTargetDistillation, soft_target_divergence
from keras_kd.losses.logits.correlation import correlation_divergence
from keras_kd.losses.logits.decoupled import DecoupledDistillation
from keras_kd.losses.logits.jensen_shannon import (
    JensenShannonDistillation,
    jensen_shannon_divergence,
)
from keras_kd.losses.logits.logit_regression import logit_regression_divergence
from keras_kd.losses.logits.multi_level import (
    MultiLevelDistillation,
    batch_correlation_gap,
    class_correlation_gap,
    multi_level_divergence,
)
from keras_kd.losses.logits.standardized import (
    StandardizedDistillation,
    standardized_logits,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 3, (6, 4)).astype("float32")
STUDENT = GENERATOR.normal(0, 3, (6, 4)).astype("float32")
P, Q = softmax(TEACHER / 2, axis=-1), softmax(STUDENT / 2, axis=-1)


def test_regression_is_the_mean_square_of_each_example():
    expected = ((TEACHER - STUDENT) ** 2).mean(axis=-1)
    ours = logit_regression_divergence(TEACHER, STUDENT)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_correlation_equals_numpy():
    rows = [np.corrcoef(p, q)[0, 1] for p, q in zip(P, Q, strict=True)]
    columns = [np.corrcoef(p, q)[0, 1] for p, q in zip(P.T, Q.T, strict=True)]
    expected = 4 * (3 * (1 - np.mean(rows)) + 0.5 * (1 - np.mean(columns)))
    ours = correlation_divergence(TEACHER, STUDENT, beta=3, gamma=0.5, temperature=2.0)
    assert float(ours) == pytest.approx(expected, rel=1e-5)


def test_correlation_over_a_batch_of_one_is_one_without_gradient():
    student = tf.constant(STUDENT[:1])
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = correlation_divergence(TEACHER[:1], student, beta=0.0)
    assert float(loss) == 1.0
    np.testing.assert_array_equal(tape.gradient(loss, student), np.zeros((1, 4)))


def test_standardized_logits_equal_scipy():
    ours = standardized_logits(TEACHER)
    np.testing.assert_allclose(ours, zscore(TEACHER, axis=-1, ddof=1), atol=1e-5)


def test_standardized_loss_ignores_size_and_offset_of_the_logits():
    loss = StandardizedDistillation()
    one = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    other = loss(ModelOutputs(10 * TEACHER + 3), ModelOutputs(0.1 * STUDENT - 7))
    np.testing.assert_allclose(one, other, rtol=1e-3)


def test_standardized_takes_over_the_loss_it_is_given():
    loss = StandardizedDistillation(SoftTargetDistillation(3.0))
    expected = soft_target_divergence(
        zscore(TEACHER, axis=-1, ddof=1),
        zscore(STUDENT, axis=-1, ddof=1),
        temperature=3.0,
    )
    value = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    np.testing.assert_allclose(value, expected, rtol=1e-4)


def test_schedules_inside_a_standardized_loss_are_read_at_the_step():
    schedule = keras.optimizers.schedules.PolynomialDecay(4.0, 10, 2.0)
    loss = StandardizedDistillation(DecoupledDistillation(temperature=schedule))
    assert loss.at_step(5).loss.iterations == 5


@pytest.mark.parametrize("loss", ["kd", soft_target_divergence])
def test_standardized_takes_losses_on_logits_only(loss):
    with pytest.raises(ValueError, match="`loss` to be a DistillationLoss on logits"):
        StandardizedDistillation(loss)


def test_correlation_gaps_equal_numpy():
    of_class = ((P.T @ P - Q.T @ Q) ** 2).sum() / 4
    of_batch = ((P @ P.T - Q @ Q.T) ** 2).sum() / 6
    ours = class_correlation_gap(TEACHER, STUDENT, temperature=2.0)
    assert float(ours) == pytest.approx(of_class, rel=1e-5)
    ours = batch_correlation_gap(TEACHER, STUDENT, temperature=2.0)
    assert float(ours) == pytest.approx(of_batch, rel=1e-5)


def test_multi_level_equals_its_sum_over_temperatures():
    def soft(temperature, view):
        part = slice(0, 3) if view == "weak" else slice(3, 6)
        return np.mean(
            soft_target_divergence(
                TEACHER[part], STUDENT[part], temperature=temperature
            )
        )

    weak = TEACHER[:3], STUDENT[:3]
    confidence = softmax(TEACHER[:3], axis=-1)
    examples = np.mean(confidence.max(-1) <= np.median(confidence.max(-1)))
    classes = np.mean(confidence.sum(0) <= np.median(confidence.sum(0)))
    assert (examples, classes) == (2 / 3, 1 / 2)
    expected = soft(4, "strong") + soft(3, "strong") + soft(5, "strong")
    expected += soft(2, "weak") + soft(6, "weak")
    for temperature in (4, 3, 5, 2, 6):
        batch = batch_correlation_gap(*weak, temperature=temperature)
        expected += examples * (soft(temperature, "weak") + float(batch))
        gap = class_correlation_gap(*weak, temperature=temperature)
        expected += classes * float(gap)
    ours = MultiLevelDistillation(views=2)(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)


def test_multi_level_with_one_view_takes_it_for_both():
    ours = MultiLevelDistillation()(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    expected = multi_level_divergence((TEACHER, TEACHER), (STUDENT, STUDENT))
    assert float(ours) == float(expected)


def test_temperature_of_two_still_sees_the_strong_view():
    views = (TEACHER[:3], TEACHER[3:]), (STUDENT[:3], STUDENT[3:])
    student = tf.constant(STUDENT[3:])
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = multi_level_divergence(views[0], (STUDENT[:3], student), temperature=2.0)
    expected = sum(
        t / 3 * (softmax(STUDENT[3:] / t, axis=-1) - softmax(TEACHER[3:] / t, axis=-1))
        for t in (2, 3, 5)
    )
    np.testing.assert_allclose(tape.gradient(loss, student), expected, atol=1e-6)


def test_an_odd_batch_has_no_two_views():
    with pytest.raises(ValueError, match="expected an even batch"):
        MultiLevelDistillation(views=2)(ModelOutputs(TEACHER[:5]), ModelOutputs(P[:5]))


def test_views_are_one_or_two():
    with pytest.raises(ValueError, match="`views` to be one of 1, 2"):
        MultiLevelDistillation(views=3)


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_jensen_shannon_equals_scipy(beta):
    mixture = beta * P + (1 - beta) * Q
    expected = beta * rel_entr(P, mixture) + (1 - beta) * rel_entr(Q, mixture)
    ours = jensen_shannon_divergence(TEACHER, STUDENT, beta=beta, temperature=2.0)
    np.testing.assert_allclose(ours, expected.sum(axis=-1), rtol=2e-5, atol=1e-7)


def test_the_ends_of_beta_are_forward_and_reverse_kl():
    forward = jensen_shannon_divergence(TEACHER, STUDENT, beta=0.0, temperature=2.0)
    np.testing.assert_allclose(forward, rel_entr(P, Q).sum(-1), rtol=2e-5)
    reverse = jensen_shannon_divergence(TEACHER, STUDENT, beta=1.0, temperature=2.0)
    np.testing.assert_allclose(reverse, rel_entr(Q, P).sum(-1), rtol=2e-5)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_jensen_shannon_has_no_gradient_where_student_equals_teacher(beta):
    student = tf.constant(TEACHER)
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = tf.reduce_sum(jensen_shannon_divergence(TEACHER, student, beta=beta))
    np.testing.assert_allclose(tape.gradient(loss, student), 0 * TEACHER, atol=1e-6)


def test_jensen_shannon_of_disjoint_certainties_is_log_two():
    loss = jensen_shannon_divergence([[1000.0, -1000.0]], [[-1000.0, 1000.0]])
    assert float(loss[0]) == pytest.approx(np.log(2))


def test_sequences_give_one_value_a_position():
    teacher, student = TEACHER.reshape(2, 3, 4), STUDENT.reshape(2, 3, 4)
    loss = JensenShannonDistillation()(ModelOutputs(teacher), ModelOutputs(student))
    flat = jensen_shannon_divergence(TEACHER, STUDENT)
    np.testing.assert_allclose(np.ravel(loss), flat, rtol=1e-6)


def test_beta_is_a_fraction():
    with pytest.raises(ValueError, match=r"`beta` to be a number in \[0, 1\]"):
        JensenShannonDistillation(1.5)

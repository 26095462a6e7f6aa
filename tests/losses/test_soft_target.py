"""Hinton's loss against SciPy, and where floats are short."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, rel_entr, softmax

from keras_kd.losses import SoftTargetDistillation, soft_target_divergence
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 3, (5, 7)).astype("float32")
STUDENT = GENERATOR.normal(0, 3, (5, 7)).astype("float32")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_kl_equals_scipy(temperature):
    ours = soft_target_divergence(TEACHER, STUDENT, temperature=temperature)
    teacher = softmax(TEACHER.astype("float64") / temperature, axis=-1)
    student = softmax(STUDENT.astype("float64") / temperature, axis=-1)
    expected = temperature**2 * rel_entr(teacher, student).sum(axis=-1)
    np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=1e-6)


def test_cross_entropy_is_kl_plus_the_teachers_entropy():
    kl = soft_target_divergence(TEACHER, STUDENT, temperature=3.0)
    cross = soft_target_divergence(
        TEACHER, STUDENT, temperature=3.0, divergence="cross_entropy"
    )
    p = softmax(TEACHER.astype("float64") / 3, axis=-1)
    entropy = -(p * np.log(p)).sum(axis=-1)
    np.testing.assert_allclose(cross - kl, 9 * entropy, rtol=1e-4)


@pytest.mark.parametrize("divergence", ["kl", "cross_entropy"])
def test_gradient_is_temperature_times_difference_of_probabilities(divergence):
    student = tf.convert_to_tensor(STUDENT)
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = tf.reduce_sum(
            soft_target_divergence(
                TEACHER, student, temperature=4.0, divergence=divergence
            )
        )
    expected = 4 * (softmax(STUDENT / 4, axis=-1) - softmax(TEACHER / 4, axis=-1))
    np.testing.assert_allclose(tape.gradient(loss, student), expected, atol=1e-6)


def test_loss_is_exact_for_logits_of_a_thousand():
    teacher = np.array([[1000.0, -1000.0, 0.0]], "float32")
    student = tf.constant([[-1000.0, 1000.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = soft_target_divergence(teacher, student, temperature=1.0)
    assert float(loss[0]) == 2000.0
    np.testing.assert_array_equal(tape.gradient(loss, student), [[-1.0, 1.0, 0.0]])


def test_loss_is_zero_when_student_equals_teacher():
    loss = soft_target_divergence(TEACHER * 300, TEACHER * 300, temperature=2.0)
    np.testing.assert_array_equal(loss, np.zeros(5))


def test_teacher_gets_no_gradient():
    teacher = tf.convert_to_tensor(TEACHER)
    with tf.GradientTape() as tape:
        tape.watch(teacher)
        loss = soft_target_divergence(teacher, STUDENT, temperature=2.0)
    assert tape.gradient(loss, teacher) is None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_inputs_are_computed_in_float32(dtype):
    teacher, student = tf.cast(TEACHER, dtype), tf.cast(STUDENT, dtype)
    loss = soft_target_divergence(teacher, student, temperature=4.0)
    expected = soft_target_divergence(
        tf.cast(teacher, "float32"), tf.cast(student, "float32"), temperature=4.0
    )
    assert loss.dtype == "float32"
    np.testing.assert_array_equal(loss, expected)


def test_permuting_the_batch_permutes_the_loss():
    order = [3, 1, 4, 0, 2]
    loss = soft_target_divergence(TEACHER, STUDENT, temperature=2.0)
    permuted = soft_target_divergence(TEACHER[order], STUDENT[order], temperature=2.0)
    np.testing.assert_allclose(np.array(loss)[order], permuted, rtol=1e-6)


def test_log_softmax_of_scipy_agrees_on_one_example_by_hand():
    # The figure of the docstring: T=2, teacher [2, 0], student [0, 0].
    p = softmax([1.0, 0.0])
    expected = 4 * (p * (log_softmax([1.0, 0.0]) - log_softmax([0.0, 0.0]))).sum()
    ours = soft_target_divergence([[2.0, 0.0]], [[0.0, 0.0]], temperature=2.0)
    assert float(ours[0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), "hot"])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="`temperature` to be a number above 0"):
        SoftTargetDistillation(temperature)


def test_unknown_divergence_lists_the_known():
    with pytest.raises(ValueError, match="'kl', 'cross_entropy'"):
        SoftTargetDistillation(divergence="mse")


def test_different_class_counts_are_an_error():
    with pytest.raises(ValueError, match="same classes"):
        soft_target_divergence(TEACHER, STUDENT[:, :4], temperature=1.0)


def test_config_round_trips_with_a_schedule():
    schedule = keras.optimizers.schedules.CosineDecay(4.0, 100, alpha=0.5)
    loss = SoftTargetDistillation(schedule, "cross_entropy", name="soft")
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert copy.get_config() == loss.get_config()
    assert float(copy.temperature(50)) == pytest.approx(3.0)


def test_temperature_schedule_is_read_at_the_step():
    schedule = keras.optimizers.schedules.PolynomialDecay(4.0, 10, 2.0)
    loss = SoftTargetDistillation(schedule)
    value = loss.at_step(5)(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    expected = soft_target_divergence(TEACHER, STUDENT, temperature=3.0)
    np.testing.assert_allclose(value, expected, rtol=1e-6)

"""Distances and angles against NumPy loops."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.relations.relational import (
    RelationalDistillation,
    angle_gap,
    distance_gap,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(size=(4, 6))
STUDENT = GENERATOR.normal(size=(4, 3))


def huber(gap):
    return np.where(np.abs(gap) < 1, gap**2 / 2, np.abs(gap) - 0.5)


def distances(vectors):
    values = np.array([[np.linalg.norm(a - b) for a in vectors] for b in vectors])
    return values / values[values > 0].mean()


def angles(vectors):
    values = np.zeros((4, 4, 4))
    for i, j, k in np.ndindex(4, 4, 4):
        if i not in (j, k):
            a, b = vectors[j] - vectors[i], vectors[k] - vectors[i]
            values[i, j, k] = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return values


def test_distance_equals_a_loop_over_pairs():
    expected = huber(distances(STUDENT) - distances(TEACHER)).mean()
    assert float(distance_gap(TEACHER, STUDENT)) == pytest.approx(expected, rel=1e-4)


def test_angle_equals_a_loop_over_triples():
    expected = huber(angles(STUDENT) - angles(TEACHER)).mean()
    assert float(angle_gap(TEACHER, STUDENT)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("gap", [distance_gap, angle_gap])
def test_is_zero_for_two_examples_and_for_the_teacher_in_another_scale(gap):
    assert float(gap(TEACHER[:2], STUDENT[:2])) == pytest.approx(0, abs=1e-6)
    assert float(gap(TEACHER, 10 * TEACHER)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("gap", [distance_gap, angle_gap])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
def test_gradient_is_finite_and_spares_the_teacher(gap, scale):
    teacher = tf.constant(TEACHER * scale, tf.float32)
    student = tf.constant(STUDENT * scale, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([teacher, student])
        loss = gap(teacher, student)
    to_teacher, to_student = tape.gradient(loss, [teacher, student])
    assert np.isfinite(loss)
    assert np.isfinite(to_student).all()
    assert to_teacher is None


@pytest.mark.parametrize("gap", [distance_gap, angle_gap])
def test_equal_examples_give_a_finite_gradient(gap):
    student = tf.constant(np.repeat(STUDENT[:1] * 1000, 4, axis=0), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = gap(TEACHER, student)
    assert np.isfinite(tape.gradient(loss, student)).all()


@pytest.mark.parametrize("gap", [distance_gap, angle_gap])
def test_one_example_is_refused_if_known_and_counts_zero_if_not(gap):
    with pytest.raises(ValueError, match="at least 2 examples"):
        gap(TEACHER[:1], STUDENT[:1])
    signature = [tf.TensorSpec((None, 6)), tf.TensorSpec((None, 3))]

    @tf.function(input_signature=signature)
    def gradient(teacher, student):
        with tf.GradientTape() as tape:
            tape.watch(student)
            loss = gap(teacher, student)
        return loss, tape.gradient(loss, student)

    loss, to_student = gradient(
        tf.constant(TEACHER[:1], tf.float32), tf.constant(STUDENT[:1], tf.float32)
    )
    assert float(loss) == 0
    np.testing.assert_array_equal(to_student, np.zeros((1, 3)))


def test_weights_scale_the_terms_and_zero_leaves_one_out():
    teacher = ModelOutputs(tf.zeros((4, 2)), {"a": tf.constant(TEACHER, "float16")})
    student = ModelOutputs(tf.zeros((4, 2)), {"b": tf.constant(STUDENT, "float16")})
    half = TEACHER.astype("float16"), STUDENT.astype("float16")
    distance, angle = float(distance_gap(*half)), float(angle_gap(*half))
    both = RelationalDistillation("a", "b")(teacher, student, training=True)
    assert float(both) == pytest.approx(25 * distance + 50 * angle)
    alone = RelationalDistillation("a", "b", distance_weight=0, angle_weight=2)
    assert float(alone(teacher, student)) == pytest.approx(2 * angle)


@pytest.mark.parametrize("weights", [(-1, 1), (0, 0), (float("nan"), 1), ("1", 1)])
def test_weights_that_are_negative_or_both_zero_are_refused(weights):
    with pytest.raises(ValueError, match="not both 0"):
        RelationalDistillation(
            "a", "b", distance_weight=weights[0], angle_weight=weights[1]
        )


def test_config_round_trips():
    loss = RelationalDistillation(["a"], ["b"], distance_weight=1, angle_weight=2)
    copy = RelationalDistillation.from_config(loss.get_config())
    assert copy.get_config() == loss.get_config()
    assert copy.published_weight == 1

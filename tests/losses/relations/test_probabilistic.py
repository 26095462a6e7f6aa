"""Probabilistic knowledge transfer against a NumPy loop."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.relations.probabilistic import (
    ProbabilisticDistillation,
    neighbour_divergence,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(size=(4, 6))
STUDENT = GENERATOR.normal(size=(4, 3))


def neighbours(vectors):
    probabilities = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            lengths = np.linalg.norm(vectors[i]) * np.linalg.norm(vectors[j])
            probabilities[i, j] = (vectors[i] @ vectors[j] / lengths + 1) / 2
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def test_equals_a_loop_over_pairs():
    p, q = neighbours(TEACHER), neighbours(STUDENT)
    expected = np.mean(p * np.log(p / q), axis=1)
    ours = neighbour_divergence(TEACHER, STUDENT)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_is_zero_for_one_example_and_for_the_teacher_in_another_scale():
    np.testing.assert_allclose(
        neighbour_divergence(TEACHER, 10 * TEACHER), np.zeros(4), atol=1e-6
    )
    np.testing.assert_allclose(neighbour_divergence(TEACHER[:1], STUDENT[:1]), [0])


@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("batch", [1, 4])
def test_gradient_is_finite_and_spares_the_teacher(scale, batch):
    teacher = tf.constant(TEACHER[:batch] * scale, tf.float32)
    student = tf.constant(STUDENT[:batch] * scale, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([teacher, student])
        loss = neighbour_divergence(teacher, student)
    to_teacher, to_student = tape.gradient(loss, [teacher, student])
    assert np.isfinite(loss).all()
    assert np.isfinite(to_student).all()
    assert to_teacher is None


def test_opposite_vectors_give_a_finite_loss_and_gradient():
    student = tf.constant([[1000.0, 1.0], [-1000.0, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = neighbour_divergence([[1.0, 0.0], [1.0, 0.0]], student)
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, student)).all()


def test_maps_are_flattened_and_layer_pairs_add_up():
    maps = GENERATOR.normal(size=(4, 2, 2, 3)).astype("float16")
    logits = tf.zeros((4, 2))
    teacher = ModelOutputs(logits, {"a": tf.constant(TEACHER), "b": tf.constant(maps)})
    student = ModelOutputs(
        logits, {"c": tf.constant(STUDENT), "d": tf.constant(STUDENT)}
    )
    loss = ProbabilisticDistillation(["a", "b"], ["c", "d"])
    expected = neighbour_divergence(TEACHER, STUDENT) + neighbour_divergence(
        maps.reshape(4, 12), STUDENT
    )
    np.testing.assert_allclose(loss(teacher, student, training=True), expected)


def test_config_round_trips():
    loss = ProbabilisticDistillation("a", "b", name="pkt")
    copy = ProbabilisticDistillation.from_config(loss.get_config())
    assert copy.get_config() == loss.get_config()
    assert copy.published_weight == 30000

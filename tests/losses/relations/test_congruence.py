"""Correlation congruence against NumPy loops."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.relations.congruence import (
    CongruenceDistillation,
    kernel_congruence,
    neighbour_congruence,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(size=(4, 5))
STUDENT = GENERATOR.normal(size=(4, 5))


def outputs(name, features):
    return ModelOutputs(tf.zeros((len(features), 2)), {name: tf.constant(features)})


def shapes(name, *shape):
    return ModelOutputs((None, 2), {name: (None, *shape)})


def test_equals_a_loop_over_neighbours():
    gap = np.abs(TEACHER - STUDENT)
    expected = np.mean([np.sum(gap[b] * gap[b + 1]) for b in range(3)])
    ours = float(neighbour_congruence(TEACHER, STUDENT))
    assert ours == pytest.approx(expected, rel=1e-5)


def test_gaussian_kernel_is_near_the_exact_one_for_short_vectors():
    def kernel(vectors):
        return np.exp([[-0.4 * np.sum((a - b) ** 2) for a in vectors] for b in vectors])

    units = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (TEACHER, STUDENT)]
    expected = np.linalg.norm(kernel(units[0]) - kernel(units[1])) / 16
    ours = kernel_congruence(*units, gamma=0.4, order=8)
    assert float(ours) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("congruence", [neighbour_congruence, kernel_congruence])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
def test_gradient_is_finite_and_spares_the_teacher(congruence, scale):
    teacher = tf.constant(TEACHER * scale, tf.float32)
    student = tf.constant(STUDENT * scale, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([teacher, student])
        loss = congruence(teacher, student)
    to_teacher, to_student = tape.gradient(loss, [teacher, student])
    assert np.isfinite(loss)
    assert np.isfinite(to_student).all()
    assert to_teacher is None


def test_one_example_is_refused_if_known_and_counts_zero_if_not():
    with pytest.raises(ValueError, match="at least 2 examples"):
        neighbour_congruence(TEACHER[:1], STUDENT[:1])
    signature = [tf.TensorSpec((None, 5)), tf.TensorSpec((None, 5))]
    congruence = tf.function(neighbour_congruence, input_signature=signature)
    one = TEACHER[:1].astype("float32"), STUDENT[:1].astype("float32")
    assert float(congruence(*one)) == 0


def test_both_embeddings_train_and_the_teacher_does_not():
    loss = CongruenceDistillation("a", "b", embedding_dim=3)
    loss.build(shapes("a", 2, 2, 4), shapes("b", 7))
    weights = loss.trainable_variables
    assert [tuple(w.shape) for w in weights] == [(16, 3), (3,), (7, 3), (3,)]
    maps = tf.constant(GENERATOR.normal(size=(4, 2, 2, 4)), tf.float16)
    student = tf.constant(GENERATOR.normal(size=(4, 7)), tf.float16)
    with tf.GradientTape() as tape:
        tape.watch([maps, student])
        value = loss(outputs("a", maps), outputs("b", student), training=True)
    assert tape.gradient(value, maps) is None
    assert value.dtype == tf.float32


def test_gradients_reach_every_weight_of_the_embeddings():
    loss = CongruenceDistillation(["a", "a"], ["b", "b"], embedding_dim=3)
    with tf.GradientTape() as tape:
        value = loss(outputs("a", TEACHER), outputs("b", STUDENT[:, :2]), training=True)
    gradients = tape.gradient(value, [w.value for w in loss.trainable_variables])
    assert len(gradients) == 8
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_layers_of_different_size_need_an_embedding():
    loss = CongruenceDistillation("wide", "narrow", embedding_dim=None)
    with pytest.raises(ValueError, match=r'"narrow" to have as many.*"wide".*\(5,\)'):
        loss.build(shapes("wide", 5), shapes("narrow", 3))
    loss.build(shapes("wide", 4), shapes("narrow", 2, 2, 1))


def test_layers_of_open_size_cannot_be_embedded():
    loss = CongruenceDistillation("a", "b")
    with pytest.raises(ValueError, match="fixed size"):
        loss.build(shapes("a", None, None, 5), shapes("b", 3))


def test_units_of_the_embedding_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        CongruenceDistillation("a", "b", embedding_dim=0)


def test_exponential_factor_is_the_reference_one():
    one = math.exp(-0.8) * (1 + 0.8 + 0.32)
    gap = float(kernel_congruence([[0.0]], [[1.0]]))
    assert gap == pytest.approx(one - math.exp(-0.8), rel=1e-5)


def test_config_and_build_shapes_round_trip():
    loss = CongruenceDistillation(["a"], ["b"], embedding_dim=8)
    loss.build(shapes("a", 5), shapes("b", 3))
    copy = CongruenceDistillation.from_config(loss.get_config())
    copy.build_from_config(loss.get_build_config())
    assert copy.get_config() == loss.get_config()
    assert len(copy.weights) == 4
    assert copy.published_weight == 0.02

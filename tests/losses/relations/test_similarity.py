"""Similarity-preserving distillation against a NumPy loop."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.relations.similarity import SimilarityDistillation, similarity_gap
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(size=(4, 3, 3, 5))
STUDENT = GENERATOR.normal(size=(4, 6, 6, 2))


def similarities(features):
    rows = []
    for example in features:
        row = np.array([np.sum(example * other) for other in features])
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


def test_mean_equals_the_papers_squared_norm():
    norm = np.linalg.norm(similarities(STUDENT) - similarities(TEACHER))
    ours = np.mean(similarity_gap(TEACHER, STUDENT))
    np.testing.assert_allclose(ours, norm**2 / 4**2, rtol=1e-5)


def test_is_zero_when_the_student_equals_the_teacher_or_the_batch_is_one():
    np.testing.assert_allclose(similarity_gap(TEACHER, TEACHER), np.zeros(4))
    np.testing.assert_allclose(similarity_gap(TEACHER[:1], STUDENT[:1]), [0])


@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("batch", [1, 4])
def test_gradient_is_finite_and_spares_the_teacher(scale, batch):
    teacher = tf.constant(TEACHER[:batch] * scale, tf.float32)
    student = tf.constant(STUDENT[:batch] * scale, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([teacher, student])
        loss = similarity_gap(teacher, student)
    to_teacher, to_student = tape.gradient(loss, [teacher, student])
    assert np.isfinite(loss).all()
    assert np.isfinite(to_student).all()
    assert to_teacher is None


def test_layer_pairs_add_up_and_half_precision_is_raised():
    loss = SimilarityDistillation(["a", "b"], ["c", "d"])
    embeddings = TEACHER.mean(axis=(1, 2)), STUDENT.mean(axis=(1, 2))
    teacher = ModelOutputs(
        tf.zeros((4, 2)),
        {"a": tf.constant(TEACHER, "float16"), "b": tf.constant(embeddings[0])},
    )
    student = ModelOutputs(
        tf.zeros((4, 2)),
        {"c": tf.constant(STUDENT, "float16"), "d": tf.constant(embeddings[1])},
    )
    expected = similarity_gap(TEACHER, STUDENT) + similarity_gap(*embeddings)
    ours = loss(teacher, student, training=True)
    assert ours.dtype == tf.float32
    np.testing.assert_allclose(ours, expected, atol=1e-3)


def test_layers_of_open_size_are_compared_inside_a_graph():
    signature = [
        tf.TensorSpec((None, None, None, 5)),
        tf.TensorSpec((None, None, 6, 2)),
    ]
    gap = tf.function(similarity_gap, input_signature=signature)
    expected = similarity_gap(TEACHER, STUDENT)
    np.testing.assert_allclose(
        gap(TEACHER.astype("float32"), STUDENT.astype("float32")), expected, rtol=1e-4
    )


def test_config_round_trips():
    loss = SimilarityDistillation(["a", "b"], ["c", "d"], name="sp")
    copy = SimilarityDistillation.from_config(loss.get_config())
    assert copy.get_config() == loss.get_config()
    assert copy.published_weight == 3000

"""Distillation from the teacher's k likeliest classes."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, rel_entr, softmax

from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.losses.logits.sparse_target import (
    SparseTargetDistillation,
    sparse_target_divergence,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 2, (4, 7)).astype("float32")
STUDENT = GENERATOR.normal(0, 2, (4, 7)).astype("float32")
IDS = np.argsort(-TEACHER, axis=-1)[:, :3]


def _at_ids(rows):
    return np.take_along_axis(rows, IDS, axis=-1)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_bucket_is_the_divergence_of_k_plus_one_outcomes(temperature):
    teacher = _at_ids(softmax(TEACHER / temperature, axis=-1))
    student = _at_ids(softmax(STUDENT / temperature, axis=-1))
    rests = 1 - teacher.sum(axis=-1), 1 - student.sum(axis=-1)
    expected = rel_entr(teacher, student).sum(axis=-1) + rel_entr(*rests)
    loss = SparseTargetDistillation(3, missing="bucket", temperature=temperature)
    ours = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    np.testing.assert_allclose(ours, temperature**2 * expected, rtol=1e-4)


def test_renormalised_is_the_divergence_from_the_k_classes():
    teacher = softmax(_at_ids(TEACHER), axis=-1)
    student = _at_ids(softmax(STUDENT, axis=-1))
    loss = SparseTargetDistillation(3, missing="renormalise")
    ours = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    np.testing.assert_allclose(ours, rel_entr(teacher, student).sum(-1), rtol=1e-4)


def test_uniform_is_the_divergence_from_an_even_tail():
    target = np.empty((4, 7))
    kept = _at_ids(softmax(TEACHER, axis=-1))
    target[:] = (1 - kept.sum(axis=-1, keepdims=True)) / 4
    np.put_along_axis(target, IDS, kept, axis=-1)
    ours = SparseTargetDistillation(3)(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    expected = rel_entr(target, softmax(STUDENT, axis=-1)).sum(axis=-1)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


@pytest.mark.parametrize("missing", ["uniform", "bucket"])
def test_all_classes_but_one_are_as_good_as_all(missing):
    loss = SparseTargetDistillation(6, missing=missing, temperature=2.0)
    ours = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    dense = soft_target_divergence(TEACHER, STUDENT, temperature=2.0)
    np.testing.assert_allclose(ours, dense, rtol=1e-4)


def test_values_of_another_temperature_are_raised_to_a_power():
    values = _at_ids(log_softmax(TEACHER, axis=-1))
    ours = sparse_target_divergence(
        values,
        IDS,
        STUDENT,
        temperature=2.0,
        generation_temperature=1.0,
        missing="renormalise",
    )
    loss = SparseTargetDistillation(3, missing="renormalise", temperature=2.0)
    expected = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_student_sure_of_the_kept_classes_has_an_exact_bucket():
    # 1 - Σ p is 0 in float32 here; the bucket's own sum is e⁻¹⁷.
    student = tf.constant([[17.0, 0.0, -100.0]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = sparse_target_divergence([[np.log(0.5)]], [[0]], student)
    assert float(loss[0]) == pytest.approx(np.log(0.5) + 17 / 2, rel=1e-5)
    np.testing.assert_allclose(
        tape.gradient(loss, student), [[0.5, -0.5, 0]], atol=1e-6
    )


def test_k_must_leave_a_class_out():
    with pytest.raises(ValueError, match="more than the k = 7 classes"):
        SparseTargetDistillation(7)(ModelOutputs(TEACHER), ModelOutputs(STUDENT))


def test_k_must_be_an_integer():
    with pytest.raises(ValueError, match="`k` to be an int above 0"):
        SparseTargetDistillation(2.5)


def test_unknown_missing_lists_the_known():
    with pytest.raises(ValueError, match="'uniform', 'bucket', 'renormalise'"):
        SparseTargetDistillation(missing="zero")

"""Losses that treat the true class apart, against NumPy loops."""

import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax

from keras_kd.losses import soft_target_divergence
from keras_kd.losses.logits.decoupled import decoupled_divergence
from keras_kd.losses.logits.normalized import normalized_divergence
from keras_kd.losses.logits.weighted_soft_label import weighted_soft_label_divergence

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 3, (5, 4))
STUDENT = GENERATOR.normal(0, 3, (5, 4))
LABELS = np.array([0, 3, 1, 1, 2])


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_decoupled_equals_a_loop_over_examples(temperature):
    expected = []
    for teacher, student, label in zip(TEACHER, STUDENT, LABELS, strict=True):
        p, q = softmax(teacher / temperature), softmax(student / temperature)
        target = rel_entr([p[label], 1 - p[label]], [q[label], 1 - q[label]]).sum()
        p, q = np.delete(p, label), np.delete(q, label)
        others = rel_entr(p / p.sum(), q / q.sum()).sum()
        expected.append(temperature**2 * (0.5 * target + 3 * others))
    ours = decoupled_divergence(
        TEACHER, STUDENT, LABELS, alpha=0.5, beta=3, temperature=temperature
    )
    np.testing.assert_allclose(ours, expected, rtol=2e-5)


def test_decoupled_is_soft_targets_where_the_others_weigh_what_the_teacher_leaves():
    # KD = TCKD + (1 - p_y) · NCKD, the decomposition of the paper.
    terms = [
        np.array(
            decoupled_divergence(
                TEACHER, STUDENT, LABELS, alpha=alpha, beta=1 - alpha, temperature=2.0
            )
        )
        for alpha in (1, 0)
    ]
    doubt = 1 - softmax(TEACHER / 2, axis=-1)[np.arange(5), LABELS]
    whole = soft_target_divergence(TEACHER, STUDENT, temperature=2.0)
    np.testing.assert_allclose(terms[0] + doubt * terms[1], whole, rtol=2e-5)


def test_decoupled_is_zero_when_student_equals_teacher():
    loss = decoupled_divergence(TEACHER * 100, TEACHER * 100, LABELS)
    np.testing.assert_array_equal(loss, np.zeros(5))


def test_decoupled_is_exact_for_logits_of_a_thousand():
    loss = decoupled_divergence(
        [[1000.0, 0.0, 0.0]], [[-1000.0, 0.0, 0.0]], [0], temperature=1.0
    )
    assert float(loss[0]) == pytest.approx(1000 + np.log(2))


def test_one_hot_labels_count_like_numbers():
    rows = np.eye(4)[LABELS]
    np.testing.assert_array_equal(
        decoupled_divergence(TEACHER, STUDENT, rows),
        decoupled_divergence(TEACHER, STUDENT, LABELS[:, None]),
    )


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_normalized_equals_a_loop_over_examples(temperature):
    expected = []
    for teacher, student, label in zip(TEACHER, STUDENT, LABELS, strict=True):
        target = -softmax(teacher)[label] * log_softmax(student)[label]
        teacher, student = np.delete(teacher, label), np.delete(student, label)
        p, log_q = softmax(teacher / temperature), log_softmax(student / temperature)
        expected.append(target - 0.7 * temperature**2 * (p * log_q).sum())
    ours = normalized_divergence(
        TEACHER, STUDENT, LABELS, gamma=0.7, temperature=temperature
    )
    np.testing.assert_allclose(ours, expected, rtol=2e-5)


def test_weighted_soft_labels_equal_a_loop_over_examples():
    expected = []
    for teacher, student, label in zip(TEACHER, STUDENT, LABELS, strict=True):
        lag = log_softmax(student)[label] / log_softmax(teacher)[label]
        cross = -(softmax(teacher / 3) * log_softmax(student / 3)).sum()
        expected.append(9 * (1 - np.exp(-lag)) * cross)
    ours = weighted_soft_label_divergence(TEACHER, STUDENT, LABELS, temperature=3.0)
    np.testing.assert_allclose(ours, expected, rtol=2e-5)


def test_an_example_the_student_masters_is_not_taught():
    loss = weighted_soft_label_divergence([[0.0, 0.0]], [[1000.0, 0.0]], [0])
    assert float(loss[0]) == 0.0

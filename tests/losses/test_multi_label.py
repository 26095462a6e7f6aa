"""Independent labels against a NumPy loop."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, rel_entr

from keras_kd.losses import MultiLabelDistillation, multi_label_divergence

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 2, (4, 3))
STUDENT = GENERATOR.normal(0, 2, (4, 3))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_equals_a_loop_over_labels(temperature):
    expected = np.zeros(4)
    for example in range(4):
        for label in range(3):
            p = expit(TEACHER[example, label] / temperature)
            q = expit(STUDENT[example, label] / temperature)
            expected[example] += rel_entr(p, q) + rel_entr(1 - p, 1 - q)
    ours = multi_label_divergence(TEACHER, STUDENT, temperature=temperature)
    np.testing.assert_allclose(ours, temperature**2 * expected, rtol=1e-5)


def test_gradient_is_finite_and_right_for_logits_of_a_thousand():
    student = tf.constant([[-1000.0]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = multi_label_divergence([[1000.0]], student)
    assert float(loss[0]) == 1000.0
    assert float(tape.gradient(loss, student)[0, 0]) == -1.0


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        MultiLabelDistillation(0)

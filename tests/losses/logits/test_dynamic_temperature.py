"""DTKD against a loop in NumPy."""

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from keras_kd.losses.logits.dynamic_temperature import (
    DynamicTemperatureDistillation,
    dynamic_temperature_divergence,
)
from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(1, 3, (5, 7)).astype("float32")
STUDENT = GENERATOR.normal(1, 3, (5, 7)).astype("float32")


def test_value_equals_a_loop():
    expected = []
    for t, s in zip(TEACHER.astype("float64"), STUDENT.astype("float64"), strict=True):
        t_temperature = 2 * t.max() / (t.max() + s.max()) * 4.0
        s_temperature = 2 * s.max() / (t.max() + s.max()) * 4.0
        dynamic = rel_entr(softmax(t / t_temperature), softmax(s / s_temperature)).sum()
        common = rel_entr(softmax(t / 4.0), softmax(s / 4.0)).sum()
        expected.append(3 * t_temperature * s_temperature * dynamic + 16 * common)
    ours = dynamic_temperature_divergence(TEACHER, STUDENT)
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_both_models_get_the_same_largest_logit():
    # So a student that is a multiple of its teacher has no dynamic part.
    ours = dynamic_temperature_divergence(3 * STUDENT, STUDENT, beta=0.0)
    np.testing.assert_allclose(ours, np.zeros(5), atol=1e-5)


def test_largest_logits_of_zero_use_the_common_temperature():
    teacher = np.array([[0.0, -1.0, -3.0], [2.0, 1.0, 0.0]], "float32")
    student = np.array([[0.0, -2.0, -2.0], [-2.0, -3.0, -4.0]], "float32")
    ours = dynamic_temperature_divergence(teacher, student, alpha=3.0, beta=1.0)
    common = soft_target_divergence(teacher, student, temperature=4.0)
    np.testing.assert_allclose(ours, 4 * common, rtol=1e-5)


@pytest.mark.parametrize(("epoch", "factor"), [(1, 0.05), (5, 0.25), (20, 1), (99, 1)])
def test_loss_warms_up_by_epochs(epoch, factor):
    loss = DynamicTemperatureDistillation(steps_per_epoch=10)
    loss.at_step(10 * (epoch - 1) + 7)
    ours = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    expected = dynamic_temperature_divergence(TEACHER, STUDENT)
    np.testing.assert_allclose(ours, factor * expected, rtol=1e-5)


def test_negative_weight_is_an_error():
    with pytest.raises(ValueError, match="`alpha` to be a number above 0"):
        DynamicTemperatureDistillation(10, alpha=-1.0)

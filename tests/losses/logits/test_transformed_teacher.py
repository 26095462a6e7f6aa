"""TTM and WTTM against SciPy."""

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from keras_kd.losses.logits.transformed_teacher import (
    TransformedTeacherDistillation,
    transformed_teacher_divergence,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 2, (5, 7)).astype("float32")
STUDENT = GENERATOR.normal(0, 2, (5, 7)).astype("float32")


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_value_is_the_papers_power_transform(gamma, weighted):
    powers = softmax(TEACHER.astype("float64"), axis=-1) ** gamma
    target = powers / powers.sum(axis=-1, keepdims=True)
    student = softmax(STUDENT.astype("float64"), axis=-1)
    expected = rel_entr(target, student).sum(axis=-1)
    if weighted:
        expected *= powers.sum(axis=-1)
    ours = transformed_teacher_divergence(
        TEACHER, STUDENT, temperature=1 / gamma, weighted=weighted
    )
    np.testing.assert_allclose(ours, expected, rtol=2e-5)


def test_student_is_not_softened():
    softened = TEACHER / 4.0
    ours = transformed_teacher_divergence(TEACHER, softened, temperature=4.0)
    np.testing.assert_allclose(ours, np.zeros(5), atol=1e-6)


def test_unsure_examples_weigh_more():
    teacher = np.array([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0]], "float32")
    student = np.array([[1.0, 0.0, 0.0]] * 2, "float32")
    plain, weighted = (
        transformed_teacher_divergence(
            teacher, student, temperature=2.0, weighted=weighted
        )
        for weighted in (False, True)
    )
    np.testing.assert_allclose(weighted / plain, [3**0.5, 1.0], rtol=1e-5)


def test_default_is_the_authors_gamma_of_one_tenth():
    loss = TransformedTeacherDistillation()
    ours = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    expected = transformed_teacher_divergence(TEACHER, STUDENT, temperature=10.0)
    np.testing.assert_array_equal(ours, expected)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match="`temperature` to be a number above 0"):
        TransformedTeacherDistillation(0)


def test_published_weights_are_those_of_the_authors_examples():
    assert TransformedTeacherDistillation().published_weight == 45.0
    assert TransformedTeacherDistillation(weighted=True).published_weight == 4.0

"""Representation distillation against NumPy."""

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from keras_kd.losses.features.representation import (
    RepresentationDistillation,
    representation_gap,
)
from keras_kd.outputs import ModelOutputs

TEACHER, STUDENT = np.random.default_rng(0).normal(size=(2, 4, 6))


@pytest.mark.parametrize("exponent", [1.0, 4.0])
def test_gap_equals_numpy(exponent):
    expected = 2 * np.log((np.abs(TEACHER - STUDENT) ** exponent).sum())
    ours = representation_gap(TEACHER, STUDENT, exponent=exponent)
    assert float(ours) == pytest.approx(expected, rel=1e-4)


def test_equal_embeddings_give_a_finite_gap():
    assert np.isfinite(representation_gap(TEACHER, TEACHER))


def test_divergence_of_classes_is_part_of_the_loss():
    features = {"a": np.ones((4, 3), "float32")}
    logits = TEACHER.astype("float32"), STUDENT.astype("float32")
    teacher, student = (ModelOutputs(side, features) for side in logits)
    loss = RepresentationDistillation("a", "a", temperature=4.0)
    with_divergence = loss(teacher, student)
    without = loss(teacher, teacher)
    p, q = softmax(TEACHER / 4, axis=-1), softmax(STUDENT / 4, axis=-1)
    expected = rel_entr(p, q).sum(axis=-1).mean()
    assert float(with_divergence - without) == pytest.approx(expected, rel=1e-3)


def test_scale_of_the_teacher_does_not_count_in_training():
    loss = RepresentationDistillation("a", "b")
    student = ModelOutputs(np.ones((4, 2)), {"b": STUDENT.astype("float32")})
    values = [
        loss(
            ModelOutputs(np.ones((4, 2)), {"a": (100 * scale * TEACHER + scale)}),
            student,
            training=True,
        )
        for scale in (1.0, 7.0)
    ]
    assert float(values[0]) == pytest.approx(float(values[1]), abs=1e-3)


def test_exponent_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        RepresentationDistillation("a", "b", exponent=0.5)


def test_other_classes_are_refused():
    shapes = (
        ModelOutputs((None, 5), {"a": (None, 8)}),
        ModelOutputs((None, 4), {"b": (None, 6)}),
    )
    with pytest.raises(ValueError, match="same number of classes"):
        RepresentationDistillation("a", "b").build(*shapes)

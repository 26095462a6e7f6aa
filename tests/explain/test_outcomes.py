"""Helped and hurt examples are those that a loop finds."""

import numpy as np
import pytest

from keras_kd import explain


@pytest.fixture
def scores():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 60)
    return labels, *generator.normal(size=(3, 60, 3))


@pytest.mark.parametrize("with_scratch", [True, False])
def test_outcomes_equal_a_loop(scores, with_scratch):
    labels, teacher, student, scratch = scores
    others = [scratch] if with_scratch else []
    found = explain.outcomes(labels, teacher, student, *others)
    other = scratch if with_scratch else teacher
    expected = {"both_right": [], "both_wrong": [], "helped": [], "hurt": []}
    names = {
        (True, True): "both_right",
        (False, False): "both_wrong",
        (True, False): "helped",
        (False, True): "hurt",
    }
    for n, label in enumerate(labels):
        right = student[n].argmax() == label, other[n].argmax() == label
        expected[names[tuple(map(bool, right))]].append(n)
    for name, places in expected.items():
        assert getattr(found, name).tolist() == places
        for row in found.by_class:
            own = [n for n in places if labels[n] == row.label]
            assert getattr(row, name) == len(own)
    assert found.counts == tuple(len(places) for places in expected.values())
    assert [row.examples for row in found.by_class] == np.bincount(labels).tolist()
    assert found.against == ("scratch" if with_scratch else "teacher")
    right = [teacher[n].argmax() == label for n, label in enumerate(labels)]
    assert found.teacher_right.tolist() == right


def test_one_unit_decides_at_zero():
    found = explain.outcomes([1, 0], [[2.0], [2.0]], [[-1.0], [-1.0]])
    assert (found.hurt.tolist(), found.helped.tolist()) == ([0], [1])


def test_scores_of_another_shape_are_named(scores):
    labels, teacher, student, _ = scores
    with pytest.raises(ValueError, match=r"`scratch_logits` .* \(60, 3\)"):
        explain.outcomes(labels, teacher, student, student[:, :2])
    with pytest.raises(ValueError, match="finite `student_logits`"):
        explain.outcomes(labels, teacher, student * np.nan)

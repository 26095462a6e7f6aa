"""Prime-aware distillation against NumPy, and its branch."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.features.prime_aware import (
    PrimeAwareDistillation,
    prime_aware_gap,
)
from keras_kd.outputs import ModelOutputs

TEACHER, STUDENT, LOG_VARIANCE = np.random.default_rng(0).normal(size=(3, 4, 6))


@pytest.mark.parametrize("epsilon", [1e-6, 0.5])
def test_equals_numpy(epsilon):
    squares = (TEACHER - STUDENT) ** 2
    expected = squares / (epsilon + np.exp(LOG_VARIANCE)) + LOG_VARIANCE
    ours = prime_aware_gap(TEACHER, STUDENT, LOG_VARIANCE, epsilon=epsilon)
    np.testing.assert_allclose(ours, expected.mean(axis=-1), rtol=1e-4)


@pytest.mark.parametrize("log_variance", [-1000.0, 1000.0])
def test_gradient_is_finite_for_any_variance(log_variance):
    values = tf.fill((4, 6), log_variance)
    with tf.GradientTape() as tape:
        tape.watch(values)
        gap = prime_aware_gap(TEACHER, STUDENT, values)
    assert np.isfinite(gap).all()
    np.testing.assert_allclose(tape.gradient(gap, values), 1 / 6, rtol=1e-5)


def test_the_best_variance_is_the_squared_difference():
    squares = (TEACHER - STUDENT) ** 2
    best = prime_aware_gap(TEACHER, STUDENT, np.log(squares))
    for shift in (-0.5, 0.5):
        other = prime_aware_gap(TEACHER, STUDENT, np.log(squares) + shift)
        assert (other > best).numpy().all()


def test_maps_are_averaged_over_positions():
    maps = np.random.default_rng(0).normal(size=(4, 3, 3, 6)).astype("float32")
    loss = PrimeAwareDistillation("a", "a")
    of_maps, of_vectors = (
        loss(*[ModelOutputs(np.zeros((4, 2)), {"a": features})] * 2)
        for features in (maps, maps.mean(axis=(1, 2)))
    )
    np.testing.assert_allclose(of_maps, of_vectors, rtol=1e-4)


def test_other_width_is_refused():
    shapes = (
        ModelOutputs((None, 5), {"a": (None, 8)}),
        ModelOutputs((None, 5), {"b": (None, 6)}),
    )
    with pytest.raises(ValueError, match=r'"b" to have the channels .* got \(6,\)'):
        PrimeAwareDistillation("a", "b").build(*shapes)

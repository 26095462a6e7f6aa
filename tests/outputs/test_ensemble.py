"""The mean of probabilities at a temperature, against plain sums in float64."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from keras_kd.outputs import EnsembleOutputs, ModelOutputs, mean_of_probabilities

WEIGHTS = [0.5, 0.2, 0.3]


def random_logits(size, *shape):
    generator = np.random.default_rng(0)
    return generator.uniform(-size, size, (3, *shape)).astype("float32")


def summed(member_logits, activate):
    """Σ wᵢ · activate(zᵢ), a loop over members."""
    total = 0.0
    for weight, logits in zip(WEIGHTS, member_logits, strict=True):
        total = total + weight * activate(logits.astype("float64"))
    return total


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_softened_logits_are_the_mean_of_softened_members(temperature):
    logits = random_logits(8, 50, 10)
    mean = np.asarray(mean_of_probabilities(logits, WEIGHTS, temperature=temperature))
    expected = summed(logits, lambda z: softmax(z / temperature, axis=-1))
    np.testing.assert_allclose(
        softmax(mean.astype("float64") / temperature, axis=-1), expected, rtol=1e-5
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_sigmoids_are_averaged_label_by_label(temperature):
    logits = random_logits(8, 50, 3)
    mean = mean_of_probabilities(
        logits, WEIGHTS, temperature=temperature, activation="sigmoid"
    )
    expected = summed(logits, lambda z: expit(z / temperature))
    got = expit(np.asarray(mean, "float64") / temperature)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_logits_of_a_thousand_neither_overflow_nor_vanish(activation, temperature):
    logits = random_logits(1000, 50, 10)
    mean = mean_of_probabilities(
        logits, WEIGHTS, temperature=temperature, activation=activation
    )
    assert np.isfinite(mean).all()
    activate = {"softmax": lambda z: softmax(z, axis=-1), "sigmoid": expit}[activation]
    expected = summed(logits, lambda z: activate(z / temperature))
    got = activate(np.asarray(mean, "float64") / temperature)
    # Near 1000 the numbers of float32 lie 6e-5 apart.
    np.testing.assert_allclose(got, expected, atol=3e-5)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_mean_of_equal_members_is_the_member_with_its_offset(activation):
    one = random_logits(5, 4, 10)[0] + 3.0
    mean = mean_of_probabilities(
        [one, one, one], WEIGHTS, temperature=3.0, activation=activation
    )
    np.testing.assert_allclose(mean, one, atol=1e-5)


def test_mean_at_a_high_temperature_is_that_of_the_logits():
    logits = random_logits(5, 4, 10)
    mean = mean_of_probabilities(logits, WEIGHTS, temperature=5000.0)
    np.testing.assert_allclose(mean, summed(logits, lambda z: z), atol=2e-2)


def test_every_position_of_a_map_has_its_own_mean():
    logits = random_logits(3, 2, 4, 5, 6)
    mean = mean_of_probabilities(logits, WEIGHTS)
    expected = summed(logits, lambda z: softmax(z, axis=-1))
    np.testing.assert_allclose(softmax(mean, axis=-1), expected, rtol=1e-5)


def test_mean_is_a_constant():
    logits, temperature = tf.Variable(random_logits(3, 2, 4)), tf.Variable(2.0)
    with tf.GradientTape() as tape:
        mean = mean_of_probabilities(logits, WEIGHTS, temperature=temperature)
    assert tape.gradient(mean, [logits, temperature]) == [None, None]


def test_each_temperature_is_served_from_the_same_members():
    logits = random_logits(5, 4, 10)
    outputs = EnsembleOutputs(np.zeros((4, 10)), {}, logits, WEIGHTS)
    for temperature in (1.0, 2.0, 8.0):
        seen = outputs.at_temperature(temperature).logits
        expected = summed(logits, lambda z, t=temperature: softmax(z / t, axis=-1))
        got = softmax(np.asarray(seen, "float64") / temperature, axis=-1)
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert outputs.at_temperature(None).logits is outputs.logits


def test_one_model_is_the_same_at_every_temperature():
    outputs = ModelOutputs(np.zeros((4, 10)))
    assert outputs.at_temperature(7.0, "sigmoid") is outputs

"""CTKD: the temperature climbs the loss that the student descends."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.logits.curriculum_temperature import (
    CurriculumTemperatureDistillation,
    curriculum_scale,
    scale_gradient,
)
from keras_kd.losses.logits.decoupled import decoupled_divergence
from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = tf.constant(GENERATOR.normal(0, 3, (5, 7)).astype("float32"))
STUDENT = tf.constant(GENERATOR.normal(0, 3, (5, 7)).astype("float32"))


def _gradients(loss, labels=None):
    student = tf.identity(STUDENT)
    with tf.GradientTape() as tape:
        tape.watch(student)
        values = loss(ModelOutputs(TEACHER), ModelOutputs(student), labels)
        value = tf.reduce_mean(values)
    return tape.gradient(value, [student, loss.raw_temperature.value])


def _at_epoch(epoch, **options):
    loss = CurriculumTemperatureDistillation(10, **options)
    loss.at_step(10 * (epoch - 1) + 3)
    return loss


def test_scaled_gradient_leaves_the_value():
    value = tf.constant([0.1, -7.3])
    with tf.GradientTape() as tape:
        tape.watch(value)
        scaled = scale_gradient(value, -0.3)
        total = tf.reduce_sum(scaled**2)
    np.testing.assert_array_equal(scaled, value)
    np.testing.assert_allclose(tape.gradient(total, value), -0.6 * value, rtol=1e-6)


@pytest.mark.parametrize("ramp", ["cosine", "linear"])
def test_scale_is_the_authors_in_every_epoch(ramp):
    for epoch in range(14):
        if ramp == "cosine":
            expected = (np.cos(np.pi * min(epoch, 10) / 10) + 1) / 2 - 1
        else:
            expected = -(epoch if epoch < 10 else 9) / 10
        ours = curriculum_scale(epoch, ramp_epochs=10, ramp=ramp)
        assert float(ours) == pytest.approx(expected, abs=1e-6)


def test_temperature_starts_at_the_authors():
    loss = _at_epoch(1)
    loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))
    assert float(loss.temperature) == pytest.approx(1 + 20 / (1 + np.exp(-1)))


@pytest.mark.parametrize("decoupled", [None, (1.0, 2.0)])
def test_value_is_that_at_the_temperature(decoupled):
    loss, labels = _at_epoch(1, decoupled=decoupled), [0, 1, 2, 3, 6]
    ours = loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT), labels)
    temperature = float(loss.temperature)
    if decoupled is None:
        expected = soft_target_divergence(TEACHER, STUDENT, temperature=temperature)
    else:
        expected = decoupled_divergence(
            TEACHER, STUDENT, labels, alpha=1.0, beta=2.0, temperature=temperature
        )
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_ramp_turns_the_gradient_of_the_temperature_only():
    of_student, of_temperature = zip(
        *[_gradients(_at_epoch(epoch, ramp="linear")) for epoch in (1, 4, 9)],
        strict=True,
    )
    np.testing.assert_array_equal(of_student[0], of_student[2])
    ratios = np.array(of_temperature) / of_temperature[0]
    np.testing.assert_allclose(ratios, [1, 4, 9], rtol=1e-5)


def test_descent_raises_the_loss_through_the_temperature():
    loss = _at_epoch(10)
    _, gradient = _gradients(loss)
    outputs = ModelOutputs(TEACHER), ModelOutputs(STUDENT)
    before = float(tf.reduce_mean(loss(*outputs)))
    loss.raw_temperature.assign_sub(0.5 * np.sign(gradient))
    assert float(tf.reduce_mean(loss(*outputs))) > before


def test_strength_of_zero_leaves_the_temperature():
    assert float(_gradients(_at_epoch(10, strength=0))[1]) == 0.0


def test_weight_exists_after_build_and_trains():
    loss = CurriculumTemperatureDistillation(10)
    loss.build(ModelOutputs((None, 7)), ModelOutputs((None, 7)))
    assert [weight.shape for weight in loss.trainable_weights] == [()]


def test_optimizer_steps_move_the_temperature_in_a_graph():
    loss = CurriculumTemperatureDistillation(1)
    loss.build(ModelOutputs((None, 7)), ModelOutputs((None, 7)))
    optimizer = keras.optimizers.SGD(0.5)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            values = loss.at_step(optimizer.iterations)(
                ModelOutputs(TEACHER), ModelOutputs(STUDENT)
            )
        weights = loss.trainable_weights
        optimizer.apply_gradients(
            zip(tape.gradient(values, weights), weights, strict=True)
        )

    for _ in range(5):
        step()
    assert float(loss.raw_temperature) != 1.0


def test_decoupled_needs_labels():
    loss = _at_epoch(1, decoupled=(1.0, 2.0))
    with pytest.raises(ValueError, match="labels"):
        loss(ModelOutputs(TEACHER), ModelOutputs(STUDENT))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps_per_epoch": 0}, "`steps_per_epoch` to be a number above 0"),
        ({"steps_per_epoch": 2.5}, "`steps_per_epoch` to be an int"),
        ({"steps_per_epoch": 1, "ramp": "cosin"}, 'Did you mean "cosine"'),
        ({"steps_per_epoch": 1, "decoupled": 2.0}, "None or .alpha, beta."),
        ({"steps_per_epoch": 1, "decoupled": (1, -2)}, "None or .alpha, beta."),
        ({"steps_per_epoch": 1, "strength": -1}, "`strength` to be a number above 0"),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(ValueError, match=message):
        CurriculumTemperatureDistillation(**options)

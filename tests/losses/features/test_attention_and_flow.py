"""Losses that compare statistics of maps, and train nothing of their own."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.features.attention import (
    AttentionDistillation,
    attention_distance,
    attention_map,
)
from keras_kd.losses.features.flow import FlowDistillation, flow_matrix
from keras_kd.losses.features.neuron_selectivity import (
    NeuronSelectivityDistillation,
    neuron_selectivity_discrepancy,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 1, (3, 4, 4, 5)).astype("float32")
STUDENT = GENERATOR.normal(0, 1, (3, 2, 2, 5)).astype("float32")

MAKERS = {
    "attention": lambda: AttentionDistillation(["a", "b"], ["a", "b"]),
    "neuron_selectivity": lambda: NeuronSelectivityDistillation(["a", "b"], ["a", "b"]),
    "flow": lambda: FlowDistillation(["a", "b"], ["a", "b"]),
}
every_loss = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def _outputs(feature_maps):
    feature_maps = tf.convert_to_tensor(feature_maps)
    features = {"a": feature_maps, "b": 2.0 * feature_maps}
    return ModelOutputs(tf.zeros((feature_maps.shape[0], 2)), features)


def _shapes(**shapes):
    return ModelOutputs((None, 2), {k: (None, *shape) for k, shape in shapes.items()})


@every_loss
@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("batch", [1, 3])
def test_loss_and_gradients_are_finite(make, scale, batch):
    student = tf.constant(scale * STUDENT[:batch])
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = make()(_outputs(scale * TEACHER[:batch]), _outputs(student))
    assert value.shape == (batch,)
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, student)).all()


@every_loss
def test_loss_is_zero_when_student_equals_teacher(make):
    value = make()(_outputs(TEACHER), _outputs(TEACHER))
    np.testing.assert_allclose(value, np.zeros(3), atol=1e-6)


@pytest.mark.parametrize("name", ["attention", "neuron_selectivity"])
def test_sizes_that_cannot_be_matched_are_an_error(name):
    teacher = _shapes(a=(8, 6, 5), b=(8, 8, 5))
    with pytest.raises(ValueError, match=r'"a" to have the height and width of'):
        MAKERS[name]().build(teacher, _shapes(a=(4, 3, 5), b=(4, 4, 5)))


def test_flow_needs_two_layers_of_equal_channels_and_sizes_to_match():
    with pytest.raises(ValueError, match="at least two layers"):
        FlowDistillation("a", "a")
    loss, teacher = MAKERS["flow"](), _shapes(a=(4, 4, 5), b=(4, 4, 5))
    with pytest.raises(ValueError, match='"b" to have the number of channels of'):
        loss.build(teacher, _shapes(a=(4, 4, 5), b=(4, 4, 6)))
    with pytest.raises(ValueError, match='student layers "a" and "b" to give maps'):
        loss.build(teacher, _shapes(a=(8, 6, 5), b=(4, 3, 5)))


def test_attention_power_must_be_whole_and_positive():
    with pytest.raises(ValueError, match=r"`power` to be a whole number, got 2\.5"):
        AttentionDistillation("a", "a", power=2.5)
    with pytest.raises(ValueError, match="`power` to be a number above 0"):
        AttentionDistillation("a", "a", power=0)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_attention_map_equals_a_loop(power):
    activity = np.zeros((3, 16))
    for (example, row, column, _), value in np.ndenumerate(TEACHER):
        activity[example, 4 * row + column] += float(value) ** power / 5
    expected = activity / np.linalg.norm(activity, axis=1, keepdims=True)
    ours = attention_map(TEACHER, power=power)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_attention_does_not_depend_on_scale_or_channel_order():
    turned = 7.0 * TEACHER[..., ::-1]
    np.testing.assert_allclose(attention_distance(TEACHER, turned), 0.0, atol=1e-9)


def test_discrepancy_equals_a_loop_over_channels():
    def similarity(one, other):
        products = [
            (one[:, i] / np.linalg.norm(one[:, i]))
            @ (other[:, j] / np.linalg.norm(other[:, j]))
            for i in range(one.shape[1])
            for j in range(other.shape[1])
        ]
        return np.mean(np.square(products))

    small = STUDENT[..., :3]
    expected = []
    for teacher, student in zip(TEACHER.reshape(3, 2, 2, 2, 2, 5), small, strict=True):
        t = teacher.mean(axis=(1, 3)).reshape(4, 5)
        s = student.reshape(4, 3)
        expected.append(similarity(t, t) + similarity(s, s) - 2 * similarity(t, s))
    ours = neuron_selectivity_discrepancy(TEACHER, small)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_flow_matrix_equals_a_loop():
    expected = np.zeros((3, 2, 5))
    for example, top, bottom in np.ndindex(expected.shape):
        product = TEACHER[example, ..., top] * TEACHER[example, ..., bottom]
        expected[example, top, bottom] = product.mean()
    ours = flow_matrix(TEACHER, TEACHER[..., :2])
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)

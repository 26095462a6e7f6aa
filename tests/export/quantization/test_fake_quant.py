"""The roundings, against plain NumPy, and their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_kd.export.quantization.fake_quant import (
    fake_quantise,
    fake_quantise_bias,
    fake_quantise_weights,
    weights_range,
)
from keras_kd.export.quantization.ranges import ActivationRange


def _rounded(x, low, high):
    """256 levels from low to high, moved so that zero is one of them."""
    step = (high - low) / 255
    zero_point = np.clip(np.round(-low / step), 0, 255)
    return (np.clip(np.round(x / step) + zero_point, 0, 255) - zero_point) * step


def _rounded_weights(weights, largest, num_bits):
    levels = 2 ** (num_bits - 1) - 1
    return np.clip(np.round(weights / largest * levels), -levels, levels) * (
        largest / levels
    )


@pytest.mark.parametrize(("low", "high"), [(-1.3, 2.1), (0.0, 6.0), (-3.0, 0.0)])
def test_activations_are_rounded_as_the_formula_says(low, high):
    x = np.random.default_rng(0).uniform(-4, 7, 500).astype("float32")
    expected = _rounded(x.astype("float64"), low, high)
    result = ops.convert_to_numpy(fake_quantise(x, low, high))
    # Where a value lies in the middle of two levels, float32 may choose either.
    assert np.mean(np.abs(result - expected) > 1e-5) < 0.01
    assert np.abs(result - expected).max() < (high - low) / 255 + 1e-5
    assert float(fake_quantise(np.zeros(1, "float32"), low, high)[0]) == 0.0


@pytest.mark.parametrize("num_bits", [4, 8])
@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_are_rounded_as_the_formula_says(num_bits, per_channel):
    weights = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype("float32")
    weights *= [1, 2, 3, 0.1, 0.01]
    axes = (0, 1, 2) if per_channel else None
    largest = np.abs(weights.astype("float64")).max(axis=axes)
    result = fake_quantise_weights(weights, num_bits=num_bits, per_channel=per_channel)
    expected = _rounded_weights(weights.astype("float64"), largest, num_bits)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_allclose(
        weights_range(weights, per_channel=per_channel), largest, rtol=1e-6
    )


def test_gradient_passes_where_nothing_was_clipped():
    x = tf.constant([-5.0, -1.0, 0.01, 1.9, 5.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = ops.sum(fake_quantise(x, -2.0, 2.0) * ops.array([1.0, 2, 3, 4, 5]))
    assert tape.gradient(result, x).numpy().tolist() == [0, 2, 3, 4, 0]


def test_gradient_of_weights_and_bias_passes_unchanged():
    generator = np.random.default_rng(0)
    weights = tf.constant(generator.normal(size=(6, 4)), tf.float32)
    bias = tf.constant(generator.normal(size=4), tf.float32)
    factors = generator.normal(size=(6, 4)).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch([weights, bias])
        rounded = fake_quantise_weights(weights, bias, num_bits=4)
        result = ops.sum(rounded * factors)
        largest = weights_range(weights, bias)
        options = {"num_bits": 4, "input_step": 0.1}
        result += ops.sum(fake_quantise_bias(bias, largest, **options) * factors[0])
    gradients = tape.gradient(result, [weights, bias])
    np.testing.assert_allclose(gradients[0], factors, rtol=1e-6)
    np.testing.assert_allclose(gradients[1], factors[0], rtol=1e-6)


def test_bias_is_a_whole_number_of_products_of_both_steps():
    bias = np.array([0.3, -1.7], "float32")
    result = fake_quantise_bias(
        bias, np.array([1.27, 12.7], "float32"), num_bits=8, input_step=0.1
    )
    expected = np.round(bias / [0.001, 0.01]) * [0.001, 0.01]
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("largest_weight", [0.0, 1e-7, 1e-2])
def test_range_of_weights_leaves_room_for_the_bias_as_int32(largest_weight):
    weights = np.zeros((3, 2), "float32")
    weights[0] = [1.0, largest_weight]
    bias = np.array([0.0, 50.0], "float32")
    for per_channel in (True, False):
        largest = np.broadcast_to(
            ops.convert_to_numpy(weights_range(weights, bias, per_channel=per_channel)),
            2,
        )
        assert (np.abs(bias) / (largest / 127 * 1e-3) < 2**31).all()


def test_first_batch_sets_the_range_and_later_ones_move_it():
    layer = ActivationRange(momentum=0.9)
    assert not layer.is_set
    first, second = np.float32([-1.0, 4.0]), np.float32([-3.0, 2.0])
    layer(first, training=True)
    np.testing.assert_allclose(layer.bounds, [-1.0, 4.0])
    assert layer.is_set
    layer(second, training=True)
    np.testing.assert_allclose(layer.bounds, [-0.9 - 0.3, 0.9 * 4 + 0.1 * 2], rtol=1e-6)


def test_inference_changes_no_range():
    layer = ActivationRange()
    layer(np.float32([-1.0, 4.0]), training=True)
    before = layer.get_weights()
    result = layer(np.float32([-9.0, 9.0]), training=False)
    assert layer.get_weights() == before
    np.testing.assert_allclose(result, [-1.0, 4.0], atol=0.02)


@pytest.mark.parametrize("values", [[2.0, 5.0], [-5.0, -2.0], [0.0, 0.0]])
def test_zero_is_always_in_the_range(values):
    layer = ActivationRange()
    layer(np.float32(values), training=True)
    low, high = layer.bounds
    assert low <= 0.0 <= high
    assert float(layer(np.float32([0.0]))[0]) == 0.0


def test_batch_without_examples_changes_no_range():
    layer = ActivationRange()
    layer(np.zeros((0, 3), "float32"), training=True)
    assert not layer.is_set
    layer(np.float32([[-1.0, 4.0]]), training=True)
    layer(np.zeros((0, 2), "float32"), training=True)
    np.testing.assert_allclose(layer.bounds, [-1.0, 4.0])


def test_replicas_share_the_mean_of_their_ranges(two_replicas):
    with two_replicas.scope():
        layer = ActivationRange()
    values = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant([0.0, 2.0 + 2 * context.replica_id_in_sync_group])
    )
    two_replicas.run(tf.function(lambda x: layer(x, training=True)), args=(values,))
    assert layer.bounds == (0.0, 3.0)


def test_ranges_stay_in_float32_in_mixed_precision():
    policy = keras.mixed_precision.dtype_policy()
    try:
        keras.mixed_precision.set_global_policy("mixed_float16")
        layer = ActivationRange(dtype="mixed_float16")
    finally:
        keras.mixed_precision.set_global_policy(policy)
    assert layer(np.float32([1.0001]), training=True).dtype == tf.float32
    assert layer.bounds[1] == np.float32(1.0001)

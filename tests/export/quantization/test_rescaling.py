"""Sums of 4-bit weights are rounded twice, as LiteRT's integers are."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.export import LiteRtModel, convert, quantization_aware
from keras_kd.export.quantization.fake_quant import rescale_twice


def whole_numbers(total, factor):
    """A sum times a factor in integers only, as gemmlowp's fixed point has it."""
    mantissa, exponent = math.frexp(factor)
    multiplier = round(mantissa * 2**31)
    product = total * 2 ** max(exponent, 0) * multiplier
    first = (product + 2**30) >> 31
    shift = max(-exponent, 0)
    return (first + (1 << shift >> 1)) >> shift


@pytest.mark.parametrize(
    "factor", [0.01317, 0.03713, 0.11091, 0.24173, 0.30117, 0.49127, 0.70711, 1.93173]
)
def test_rounding_is_that_of_integers(factor):
    totals = np.arange(-2000, 2000)
    output_step = 0.03
    step = np.array([factor * output_step], "float32")
    sums = (totals * factor * output_step).astype("float32")[:, None]
    rescaled = ops.convert_to_numpy(rescale_twice(sums, step, output_step))
    expected = [
        whole_numbers(int(total), float(step[0] / output_step)) for total in totals
    ]
    np.testing.assert_array_equal(np.round(rescaled[:, 0] / output_step), expected)


def test_one_rounding_would_be_another():
    """Of sums such as those in a file: what the second rounding is for."""
    factor = 0.0371
    once = [round(total * factor) for total in range(2000)]
    twice = [whole_numbers(total, factor) for total in range(2000)]
    assert 0.005 < np.mean(np.array(once) != twice) < 0.05


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(6, 3, padding="same", activation="relu"),
        layers.Conv2D(6, 3, padding="same"),
        layers.SeparableConv2D(6, 3, padding="same", activation="relu6"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_outputs_of_a_convolution_are_those_of_the_file(layer, tmp_path):
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).uniform(-1, 1, (40, 12, 12, 4)).astype("float32")
    student = keras.Sequential([keras.Input((12, 12, 4)), layer, layers.Flatten()])
    model = quantization_aware(student, weights_bits=4)
    model(images, training=True)
    convert(model, tmp_path / "m.tflite", precision="int4_weights")
    by_file = LiteRtModel(tmp_path / "m.tflite")(images)
    step = np.diff(np.unique(by_file)).min()
    different = np.abs(by_file - ops.convert_to_numpy(model(images))) > step / 2
    assert different.mean() < 5e-4

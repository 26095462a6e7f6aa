"""Every kind of layer, as a float model, and with its own name."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.export import quantization_aware
from keras_kd.export.quantization import affine, output, ranges, weighted
from keras_kd.export.quantization.folding import folded_weights
from keras_kd.export.quantization.sources import input_step
from keras_kd.outputs import layer_paths
from tests.export.quantization.models import (
    EVERY,
    conv,
    examples,
    nested,
    stack,
    with_random_weights,
)


@pytest.fixture
def without_rounding(monkeypatch):
    """Leaves everything of quantisation-aware models but the roundings."""
    for module in (affine, weighted):
        monkeypatch.setattr(module, "fake_quantise_weights", lambda w, *_, **__: w)
        monkeypatch.setattr(module, "fake_quantise_bias", lambda b, *_, **__: b)
    for module in (output, ranges):
        monkeypatch.setattr(module, "fake_quantise", lambda x, *_: x)


@pytest.mark.parametrize("name", EVERY)
def test_without_rounding_the_model_computes_what_the_student_does(
    name, without_rounding
):
    student = with_random_weights(EVERY[name]())
    x = examples(student)
    expected = student(x, training=False)
    model = quantization_aware(student, strict=True)
    np.testing.assert_allclose(model(x, training=False), expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["convolution", "shared", "nested", "separable"])
def test_layers_keep_their_paths_and_the_student_its_weights(name):
    student = with_random_weights(EVERY[name]())
    before = [weight.numpy() for weight in student.weights]
    model = quantization_aware(student)
    quantization_aware(student, weights_bits=4)
    assert set(layer_paths(student)) <= set(layer_paths(model))
    assert model.name == student.name
    model(examples(student), training=True)
    for weight, value in zip(student.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    assert not {id(layer) for layer in student._flatten_layers()} & {
        id(layer) for layer in model._flatten_layers()
    }


def test_norm_is_folded_as_its_formula_says():
    layer, norm = conv(3, use_bias=False), layers.BatchNormalization(epsilon=0.1)
    with_random_weights(stack(layer, norm))
    weights = folded_weights(layer, norm)
    for channel in range(3):
        deviation = np.sqrt(norm.moving_variance.numpy()[channel] + 0.1)
        factor = norm.gamma.numpy()[channel] / deviation
        np.testing.assert_allclose(
            weights["kernel"][..., channel],
            layer.kernel.numpy()[..., channel] * factor,
            rtol=1e-5,
        )
        bias = norm.beta.numpy()[channel]
        bias -= norm.moving_mean.numpy()[channel] * factor
        np.testing.assert_allclose(weights["bias"][channel], bias, rtol=1e-5)


def test_a_norm_whose_convolution_is_used_elsewhere_is_not_folded():
    inputs = keras.Input((8, 8, 4))
    x = conv(4, name="conv")(inputs)
    y = layers.BatchNormalization(name="norm")(x)
    model = quantization_aware(keras.Model(inputs, layers.Add()([x, y])))
    assert type(model.get_layer("norm")).__name__ == "QuantizedAffine"


def test_only_the_output_before_a_relu_has_no_range_of_its_own():
    parts = conv(name="a"), layers.ReLU(name="b"), conv(name="c"), conv(name="d")
    model = quantization_aware(stack(*parts))
    has_range = {
        name: model.get_layer(name).output_range is not None for name in "abcd"
    }
    assert has_range == {"a": False, "b": True, "c": True, "d": True}


def test_layers_know_the_steps_of_what_they_are_given():
    parts = (
        conv(name="a"),
        layers.ReLU(name="b"),
        layers.MaxPooling2D(),
        layers.Dropout(0.1),
        stack(conv(name="c"), shape=(4, 4, 6)),
        conv(name="d", activation="sigmoid"),
        layers.Flatten(),
        layers.Dense(3, name="e"),
    )
    student = with_random_weights(stack(*parts))
    model = quantization_aware(student)
    model(examples(student), training=True)
    paths = layer_paths(model)
    inside = next(path for path in paths if path.endswith("/c"))
    sources = {
        "a": model.layers[1],
        "d": paths[inside].output_range,
        inside: None,
        "e": 1 / 256,
    }
    for path, source in sources.items():
        expected = source
        if hasattr(source, "bounds"):
            expected = (source.bounds[1] - source.bounds[0]) / 255
        step = input_step(paths[path])
        if step is not None:
            step = float(step)
        assert step == (expected if expected is None else pytest.approx(expected))


def test_four_bits_are_for_convolutions_and_dense_layers():
    parts = (
        conv(name="a"),
        layers.DepthwiseConv2D(3, name="b"),
        layers.Conv2DTranspose(2, 3, name="c"),
        layers.Flatten(),
        layers.Dense(3, name="d"),
    )
    model = quantization_aware(stack(*parts), weights_bits=4)
    bits = {name: model.get_layer(name).weights_bits for name in "abcd"}
    assert bits == {"a": 4, "b": 8, "c": 8, "d": 4}


def test_probabilities_that_end_a_model_are_not_rounded():
    model = quantization_aware(nested())
    assert not model.get_layer("d").quantise_output
    inside = quantization_aware(stack(conv(activation="softmax", name="a"), conv()))
    assert inside.get_layer("a").quantise_output


def test_frozen_layers_stay_frozen():
    student = stack(conv(name="a"), conv(name="b"))
    student.get_layer("a").trainable = False
    model = quantization_aware(student)
    assert not model.get_layer("a").trainable_weights
    assert len(model.trainable_weights) == 2

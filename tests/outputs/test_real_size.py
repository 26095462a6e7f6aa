"""Features and heads of MobileNetV2 inside another model, with 1,000 classes."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.outputs import find_head, forward, layer_paths, layer_shapes
from tests.real_size import CLASSES, PIXELS

LAYER = "block_6_expand_relu"


@pytest.fixture(scope="module")
def nested(mobilenet_v2):
    """MobileNetV2 as people use it: behind a rescaling, before a softmax."""
    inputs = keras.Input((PIXELS, PIXELS, 3))
    x = mobilenet_v2(layers.Rescaling(1.0)(inputs))
    return keras.Model(inputs, layers.Softmax()(x))


@pytest.mark.slow
def test_paths_lead_to_every_layer_of_a_nested_model(nested, mobilenet_v2):
    paths = layer_paths(nested)
    inner = [f"{mobilenet_v2.name}/{layer.name}" for layer in mobilenet_v2.layers]
    assert set(inner[1:]) <= set(paths)
    shapes = layer_shapes(nested, keras.Input((PIXELS, PIXELS, 3)))
    assert tuple(shapes[f"{mobilenet_v2.name}/{LAYER}"]) == (None, 12, 12, 192)


@pytest.mark.slow
def test_features_are_those_of_a_keras_model_that_ends_there(
    nested, mobilenet_v2, images
):
    x = images[0][:16]
    path = f"{mobilenet_v2.name}/{LAYER}"
    _, found = forward(nested, x, head=find_head(nested), layers=[path])
    until = keras.Model(mobilenet_v2.input, mobilenet_v2.get_layer(LAYER).output)
    np.testing.assert_allclose(
        found.features[path], until.predict(x, verbose=0), atol=1e-4
    )


@pytest.mark.slow
def test_logits_behind_a_softmax_of_1000_are_exact(nested, mobilenet_v2, images):
    """Most of the probabilities are 0 in float32, where a logarithm ends."""
    head = mobilenet_v2.layers[-1]
    kernel = head.kernel.numpy()
    try:
        head.kernel.assign(100.0 * kernel)
        probabilities, found = forward(nested, images[0][:8], head=find_head(nested))
        expected = mobilenet_v2.predict(images[0][:8], verbose=0)
    finally:
        head.kernel.assign(kernel)
    assert found.logits.shape == (8, CLASSES)
    assert np.mean(np.asarray(probabilities) == 0) > 0.5
    np.testing.assert_allclose(
        found.logits, expected, atol=1e-4 * np.abs(expected).max()
    )

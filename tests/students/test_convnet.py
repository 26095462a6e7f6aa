"""The plain convolutional network."""

import keras
import pytest

from keras_kd.students import convnet


@pytest.mark.parametrize("width", [1, 4, 32])
def test_parameters_are_those_of_the_layers_by_hand(width):
    def convolution(inputs, outputs):
        return 9 * inputs * outputs + 4 * outputs  # kernel, and BatchNormalization

    w, expected = width, 0
    for inputs, outputs in ((1, w), (w, w), (w, 2 * w), (2 * w, 2 * w)):
        expected += convolution(inputs, outputs)
    expected += 2 * w * 10 + 10
    assert convnet((8, 8, 1), 10, width=width).count_params() == expected


def test_head_gives_logits_and_blocks_have_names():
    model = convnet((9, 9, 3), 4, width=2, blocks=3)
    assert model.output_shape == (None, 4)
    assert model.get_layer("logits").activation is keras.activations.linear
    shapes = [model.get_layer(f"block_{n}").output.shape[1:] for n in (1, 2, 3)]
    assert shapes == [(9, 9, 2), (5, 5, 4), (3, 3, 8)]


def test_width_must_be_positive():
    with pytest.raises(ValueError, match="`width` to be a number above 0"):
        convnet((8, 8, 1), 10, width=0)

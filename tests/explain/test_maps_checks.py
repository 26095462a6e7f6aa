"""What cannot be explained is said before work starts."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd import explain
from tests.explain.models import looking, noise


@pytest.fixture(scope="module")
def model():
    return looking()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": noise()[0]}, r"\(n, h, w, channels\), got float32 of shape \(12"),
        ({"images": noise() * np.nan}, "finite `images`, got NaN"),
        ({"images": noise(channels=3)}, r"batches of shape \(None, 12, 12, 1\)"),
        ({"images": noise(0)}, r"got float32 of shape \(0, 12"),
        ({"method": "grad_cam"}, 'Did you mean "grad_cam\\+\\+'),
        ({"seed": -1}, "`seed` to be an int"),
        ({"classes": [0, 1]}, "3 ints from 0 to 3"),
        ({"classes": [0, 1, 4]}, "3 ints from 0 to 3"),
        ({"teacher": lambda x: x}, "a Keras model as teacher, got function"),
        ({"student": looking(5)}, "got 4 of the teacher and 5 of the student"),
    ],
)
def test_unusable_argument_is_named(model, change, message):
    arguments = {"teacher": model, "student": model, "images": noise(), **change}
    with pytest.raises(ValueError, match=message):
        explain.maps(**arguments)


def test_weights_that_are_nan_are_named(model):
    broken = looking()
    broken.layers[-1].bias.assign([np.nan] * 4)
    with pytest.raises(ValueError, match="finite weights in the student"):
        explain.maps(model, broken, noise())


def test_model_of_pixels_is_refused(model):
    pixels = keras.Sequential([keras.Input((12, 12, 1)), layers.Conv2D(4, 1)])
    with pytest.raises(ValueError, match=r"one output .n, num_classes. of the teacher"):
        explain.maps(pixels, model, noise())


def test_model_of_two_inputs_is_refused(model):
    inputs = [keras.Input((12, 12, 1)), keras.Input((12, 12, 1))]
    two = keras.Model(inputs, model(layers.Add()(inputs)))
    with pytest.raises(ValueError, match="one input of the student, got 2 inputs"):
        explain.maps(model, two, noise())

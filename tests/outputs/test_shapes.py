"""The shapes of all layers of a model, from one run of symbols or of real data."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_kd.outputs import layer_paths, layer_shapes

SYMBOLS = keras.KerasTensor((None, 8, 8, 1))
IMAGES = np.zeros((3, 8, 8, 1), "float32")


def nested():
    """The inner model leaves its image size open."""
    inner = [keras.Input((None, None, 1)), layers.Conv2D(2, 3, name="conv")]
    backbone = keras.Sequential(inner, name="backbone")
    image = keras.Input((8, 8, 1))
    x = layers.GlobalAveragePooling2D(name="pool")(backbone(image))
    return keras.Model(image, layers.Dense(3, name="a_head")(x))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(2, 3, 2, padding="same", name="first")
        self.head = layers.Dense(3, name="head")

    def call(self, inputs):
        return self.head(layers.Flatten()(self.first(inputs)))


def test_layers_of_nested_models_have_the_outer_sizes_in_the_order_they_run():
    assert list(layer_shapes(nested(), SYMBOLS).items()) == [
        ("backbone/conv", (None, 6, 6, 2)),
        ("backbone", (None, 6, 6, 2)),
        ("pool", (None, 2)),
        ("a_head", (None, 3)),
    ]


def test_real_batches_give_the_shapes_that_symbols_give():
    model = nested()
    assert layer_shapes(model, IMAGES) == layer_shapes(model, SYMBOLS)


def test_a_subclassed_model_that_was_never_called():
    expected = {"first": (None, 4, 4, 2), "head": (None, 3)}
    assert layer_shapes(Subclassed(), SYMBOLS) == expected
    assert layer_shapes(Subclassed(), IMAGES) == expected


def test_shapes_are_those_after_the_preprocessing():
    def halve(images):
        return tf.image.resize(images, (4, 4))

    model = Subclassed()
    assert layer_shapes(model, SYMBOLS, preprocessing=halve)["first"] == (None, 2, 2, 2)


def test_layers_without_one_output_of_their_own_are_left_out():
    image = keras.Input((8, 8, 1))
    twice = layers.Conv2D(1, 1, name="twice")
    x = layers.Dropout(0.5, name="dropout")(twice(twice(image)))
    split = layers.Lambda(lambda x: [x + 1.0, x + 2.0], name="two_outputs")
    left, right = split(x)
    model = keras.Model(image, layers.Add(name="sum")([left, right]))
    assert layer_shapes(model, SYMBOLS) == {"sum": (None, 8, 8, 1)}


def test_the_model_is_left_as_it_was():
    model = nested()
    before = model.get_weights()
    layer_shapes(model, SYMBOLS)
    layer_shapes(model, IMAGES)
    assert not any("call" in vars(layer) for layer in layer_paths(model).values())
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)

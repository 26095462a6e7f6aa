"""Models that are blind by construction outside one quadrant of the image."""

import keras
import numpy as np
from keras import layers

SIZE = 12
SEEN = np.s_[:6, 6:]  # the quadrant above, right


def quadrant(channels=1):
    mask = np.zeros((1, SIZE, SIZE, channels), "float32")
    mask[:, *SEEN] = 1.0
    return mask


def looking(units=4, activation=None, *, channels=1, nested=False, dtype=None):
    """A classifier that is given one quadrant of the image and zeros elsewhere."""
    mask, inputs = quadrant(channels), keras.Input((SIZE, SIZE, channels))
    # Without bias and with positive weights, nothing is where nothing is seen, and
    # every channel speaks for every class.
    positive = keras.initializers.RandomUniform(0.1, 1.0)
    options = {"use_bias": False, "kernel_initializer": positive, "dtype": dtype}
    stack = [
        layers.Conv2D(4, 3, padding="same", activation="relu", name="conv", **options),
        layers.ReLU(name="end", dtype=dtype),
    ]
    if nested:
        stack = [keras.Sequential(stack, name="backbone")]
    x = inputs * mask
    for layer in stack:
        x = layer(x)
    x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    scores = layers.Dense(units, activation, kernel_initializer=positive, dtype=dtype)
    return keras.Model(inputs, scores(x))


def noise(number=3, channels=1, seed=0):
    generator = np.random.default_rng(seed)
    shape = (number, SIZE, SIZE, channels)
    return generator.uniform(0.1, 1, shape).astype("float32")


def share_inside(maps):
    """How much of each map lies in the quadrant, or in reach of a 3x3 kernel."""
    reach = np.zeros((SIZE, SIZE), bool)
    reach[:7, 5:] = True
    return (maps * reach).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))

"""Augmentation that can be repeated: names of its steps, seeds of its views."""

import functools

import numpy as np
import tensorflow as tf

from keras_kd.data import random_crop, random_flip
from keras_kd.data.augment import as_steps, describe, viewed


def noise(image, seed, size):
    return image + size * tf.random.stateless_normal(image.shape, seed)


def test_names_tell_parameters_and_no_addresses():
    part = functools.partial(noise, size=0.5)
    names = describe([random_crop(3), random_flip, part])
    assert names[:2] == ["random_crop(3)", "random_flip"]
    assert "size=0.5" in names[2]
    assert "0x" not in names[2]
    assert describe([functools.partial(noise, size=0.5)]) == names[2:]


def test_one_step_a_list_or_none_are_steps():
    assert as_steps(None) == ()
    assert as_steps(random_flip) == (random_flip,)
    assert as_steps([random_flip, random_flip]) == (random_flip, random_flip)


def test_a_view_is_the_same_wherever_the_example_stands(digits):
    examples = digits.test.examples
    steps = [random_crop(2), random_flip]

    def images(examples, view):
        pairs = viewed(examples, steps, view).as_numpy_iterator()
        return {pair["id"]: pair["x"] for pair in pairs}

    ordered = images(examples, 1)
    shuffled = images(examples.shuffle(540, seed=0), 1)
    assert ordered.keys() == shuffled.keys()
    for name, image in ordered.items():
        np.testing.assert_array_equal(image, shuffled[name])
    other = images(examples, 2)
    assert np.mean([(other[n] != ordered[n]).any() for n in ordered]) > 0.8

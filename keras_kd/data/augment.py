"""Seeded augmentation of single images: the same image and seed, the same result."""

import re
from dataclasses import dataclass

import tensorflow as tf

from keras_kd.data.hashes import view_seed


def random_crop(padding):
    """Pads an image with zeros and cuts a window of the old size at random.

    Args:
        padding: int, pixels added on each side.

    Returns:
        A function of `(image, seed)`: image `(height, width, channels)`, seed an
        integer tensor `(2,)`; it returns an image of the same shape and dtype.

    Reference:
        He et al., 2015, https://arxiv.org/abs/1512.03385, section 4.2.

    Example:
        >>> image = tf.ones((4, 4, 1))
        >>> random_crop(1)(image, tf.constant([0, 1])).shape.as_list()
        [4, 4, 1]
    """
    return _RandomCrop(padding)


def random_flip(image, seed):
    """Mirrors an image left to right with probability one half.

    Args:
        image: `(height, width, channels)`.
        seed: integer tensor `(2,)`.

    Returns:
        An image of the same shape and dtype.

    Example:
        >>> random_flip(tf.ones((4, 4, 1)), tf.constant([0, 1])).shape.as_list()
        [4, 4, 1]
    """
    return tf.image.stateless_random_flip_left_right(image, seed)


def as_steps(augment):
    """What `augment` may be, a function, a list of them or None, as a tuple."""
    if augment is None:
        return ()
    return tuple(augment) if isinstance(augment, (list, tuple)) else (augment,)


def describe(steps):
    """A name for each step of augmentation, the same in every run.

    Args:
        steps: functions of `(image, seed)`.

    Returns:
        A list of str: the name of a function; of other objects what they say of
        themselves, without addresses in memory.

    Example:
        >>> describe([random_crop(2), random_flip])
        ['random_crop(2)', 'random_flip']
    """
    return [
        getattr(step, "__name__", None) or re.sub(r" at 0x[0-9a-f]+", "", repr(step))
        for step in steps
    ]


def viewed(examples, steps, view):
    """Examples as one of their views shows them: augmented by a seed of their own.

    Args:
        examples: `tf.data.Dataset` of dicts with "id" and "x", an image.
        steps: functions of `(image, seed)`, stateless.
        view: int >= 0, or an integer scalar tensor; each view of an example has
            another seed.

    Returns:
        A `tf.data.Dataset` like `examples`.

    Reference:
        Beyer et al., "Knowledge distillation: A good teacher is patient and
        consistent", 2022, https://arxiv.org/abs/2106.05237: teacher and student see the
        same view.

    Example:
        >>> from keras_kd.data import load
        >>> digits = load("digits").test.examples
        >>> once, again = (viewed(digits, [random_crop(1)], 3) for _ in range(2))
        >>> bool(tf.reduce_all(next(iter(once))["x"] == next(iter(again))["x"]))
        True
    """
    if not steps:
        return examples

    def apply(example):
        seed = view_seed(example["id"], view)
        return {**example, "x": augmented(example["x"], steps, seed)}

    return examples.map(apply, num_parallel_calls=2)


def augmented(image, steps, seed):
    """An image after all steps, each with a seed of its own.

    Args:
        image: `(height, width, channels)`.
        steps: functions of `(image, seed)`.
        seed: integer tensor `(2,)`, for the first step.
    """
    for number, step in enumerate(steps):
        image = step(image, seed + number)
    return image


@dataclass(frozen=True, repr=False)
class _RandomCrop:
    padding: int

    def __call__(self, image, seed):
        shape = tf.shape(image)
        margin = [[self.padding] * 2, [self.padding] * 2, [0, 0]]
        window = tf.image.stateless_random_crop(tf.pad(image, margin), shape, seed)
        return tf.ensure_shape(window, image.shape)

    def __repr__(self):
        return f"random_crop({self.padding})"

"""Seeded augmentation of single images: the same image and seed, the same result."""

import tensorflow as tf


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

    def crop(image, seed):
        shape = tf.shape(image)
        margin = [[padding, padding], [padding, padding], [0, 0]]
        window = tf.image.stateless_random_crop(tf.pad(image, margin), shape, seed)
        return tf.ensure_shape(window, image.shape)

    return crop


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

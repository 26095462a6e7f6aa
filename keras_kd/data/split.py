"""One part of a data set: train, validation or test."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data.augment import as_steps, augmented
from keras_kd.data.examples import Examples

MOST_SHUFFLED_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Split:
    """Examples with stable ids, read in a fixed order.

    Attributes:
        examples: `tf.data.Dataset` of dicts with "id" (string scalar, the same for the
            same example in every run), "x" (float32, without batch axis) and "y" (int64
            scalar, the class).
        size: int, the number of examples.
        between: function of `(start, stop)` that gives the examples from number `start`
            to before number `stop`, as `examples` has them, and is faster than reading
            all before. Default None: there is no such way.

    Example:
        >>> from keras_kd.data import load
        >>> split = load("digits").test
        >>> x, y = split.arrays()
        >>> len(split) == len(x) == len(y)
        True
    """

    examples: tf.data.Dataset
    size: int
    between: Callable[[int, int], tf.data.Dataset] | None = None

    def __len__(self):
        return self.size

    def batches(
        self,
        batch_size=32,
        *,
        shuffle_seed=None,
        augment=None,
        labels=True,
        ids=False,
    ):
        """The split as `fit` and `evaluate` take it.

        Args:
            batch_size: int > 0; the last batch may be smaller.
            shuffle_seed: int to shuffle anew in each epoch, in an order that follows
                from this and TensorFlow's global seed, among as many examples as half a
                gigabyte holds; None to keep the order.
            augment: function of `(image, seed)`, such as `random_crop(2)`, applied to
                every example anew in each epoch, or a list of them.
            labels: bool, False to leave the labels out.
            ids: bool, True to give `Examples` in the place of `x`, with the place of
                each example in the fixed order, from 0, as its number.

        Returns:
            A `tf.data.Dataset` of `(x, y)`, or of `x` alone, batched.
        """
        dataset = self.examples
        if ids:
            dataset = dataset.enumerate().map(_numbered)
        if shuffle_seed is not None:
            number = shuffled_among(self.size, self.examples.element_spec)
            dataset = dataset.shuffle(number, seed=shuffle_seed)
        if augment is not None:
            check_images("Split.batches", self.examples)
            dataset = _augmented(dataset, as_steps(augment), shuffle_seed or 0)
        dataset = dataset.map(lambda example: _as_fit_takes_it(example, labels, ids))
        # The autotuner delays the end of every iterator by a growing pause.
        options = tf.data.Options()
        options.autotune.enabled = False
        return dataset.batch(batch_size).prefetch(2).with_options(options)

    def part(self, start, stop):
        """Examples that follow each other, by the fastest way that there is.

        Args:
            start: int, the number of the first, from 0.
            stop: int > start, the number after the last.

        Returns:
            A `tf.data.Dataset` like `examples`.
        """
        if self.between is None:
            return self.examples.skip(start).take(stop - start)
        return self.between(start, stop)

    def arrays(self):
        """All examples in memory: `(x, y)`, NumPy, in the fixed order."""
        pairs = list(self.batches(256).as_numpy_iterator())
        x, y = zip(*pairs, strict=True)
        return np.concatenate(x), np.concatenate(y)

    def ids(self):
        """The ids of all examples, in the fixed order: a list of str."""
        ids = self.examples.map(lambda example: example["id"]).batch(1024)
        return [name.decode() for batch in ids.as_numpy_iterator() for name in batch]


def shuffled_among(size, spec):
    """How many examples to shuffle among: all, as far as half a gigabyte goes.

    Args:
        size: int, the number of examples.
        spec: structure of `tf.TensorSpec`, of one example.
    """
    leaves = tf.nest.flatten(spec)
    example_bytes = sum(
        spec.dtype.size * (spec.shape.num_elements() or 1) for spec in leaves
    )
    return max(1, min(size, MOST_SHUFFLED_BYTES // max(1, example_bytes)))


def check_images(where, examples):
    """Raises unless examples can be augmented.

    Args:
        where: str, see `invalid`.
        examples: `tf.data.Dataset` of dicts with "x".
    """
    spec = examples.element_spec["x"]
    if not isinstance(spec, tf.TensorSpec) or spec.shape.rank != 3:
        shape = tuple(spec.shape) if isinstance(spec, tf.TensorSpec) else spec
        raise invalid(
            where,
            "images (height, width, channels) to augment",
            f"examples of shape {shape}",
            "Leave out `augment`.",
        )


def _numbered(number, example):
    return {**example, "number": number}


def _as_fit_takes_it(example, labels, ids):
    x = Examples(example["x"], example["number"]) if ids else example["x"]
    if labels:
        return x, example["y"]
    # A pair by itself would be taken for inputs and labels.
    return (x,) if ids else x


def _augmented(dataset, steps, seed):
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)

    def apply(example, words):
        return {**example, "x": augmented(example["x"], steps, words)}

    return tf.data.Dataset.zip(dataset, seeds.batch(2)).map(apply, num_parallel_calls=2)

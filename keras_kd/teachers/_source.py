"""The data set that is labelled, or attached: examples with ids in a fixed order."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data import Split


class Source(NamedTuple):
    """Examples, and how many there are.

    Attributes:
        examples: `tf.data.Dataset` of dicts with "id", "x" and, with labels, "y".
        count: int, or None if the data set does not say.
        part: function of `(start, stop)` that gives those of `examples`.
    """

    examples: tf.data.Dataset
    count: int | None
    part: Callable[[int, int], tf.data.Dataset]


def as_source(where, dataset, *, labels):
    """The examples of what the user passed.

    Args:
        where: str, see `invalid`.
        dataset: `Split`, or `tf.data.Dataset` of dicts.
        labels: bool, whether "y" is needed.

    Returns:
        A `Source`.

    Raises:
        ValueError: It is something else, or has no end or no examples.
    """
    count, read = None, None
    if isinstance(dataset, Split):
        dataset, count, read = dataset.examples, dataset.size, dataset.part
    keys = ("id", "x", "y") if labels else ("id", "x")
    _check_elements(where, dataset, keys)
    if count is None:
        count = int(dataset.cardinality())
    if count in (0, tf.data.INFINITE_CARDINALITY):
        raise invalid(
            where,
            "a data set with examples and an end",
            "none" if count == 0 else "one without end",
            "Pass one that holds each example once, before repeat().",
        )
    if read is None:
        read = Split(dataset, count).part

    def wanted(examples):
        if set(examples.element_spec) == set(keys):
            return examples
        return examples.map(lambda example: {key: example[key] for key in keys})

    return Source(
        wanted(dataset),
        None if count < 0 else count,
        lambda start, stop: wanted(read(start, stop)),
    )


def counted(source):
    """The number of examples of a source that does not say it: it is read once."""
    return int(source.examples.reduce(tf.constant(0, tf.int64), lambda n, _: n + 1))


def first_examples(where, source, number):
    """The first examples of a source, as a batch.

    Args:
        where: str, see `invalid`.
        source: a `Source`.
        number: int, at most so many.

    Returns:
        A dict as of the source, each value with a batch axis.

    Raises:
        ValueError: There are none.
    """
    few = next(iter(source.examples.take(number).batch(number)), None)
    if few is None:
        raise invalid(
            where, "examples", "an empty data set", "Pass at least one example."
        )
    return few


def _check_elements(where, dataset, keys):
    spec = getattr(dataset, "element_spec", None)
    fix = (
        "Pass a keras_kd.data.Split, or a tf.data.Dataset of such dicts, neither "
        "shuffled nor batched."
    )
    wanted = f"examples as dicts of {', '.join(map(repr, keys))}"
    if not isinstance(spec, dict) or set(keys) - set(spec):
        got = f"a {type(dataset).__name__}" if spec is None else f"elements {spec}"
        raise invalid(where, wanted, got, fix)
    if spec["id"] != tf.TensorSpec((), tf.string):
        raise invalid(
            where,
            'a string as "id" of each example',
            spec["id"],
            "Make it one with tf.strings.as_string, before batch().",
        )
    for leaf in tf.nest.flatten(spec["x"]):
        if not isinstance(leaf, tf.TensorSpec) or not leaf.shape.is_fully_defined():
            raise invalid(
                where,
                'examples "x" of one known shape',
                leaf,
                "Resize or pad them, and say so with tf.ensure_shape.",
            )

"""A teacher's answers for any part of a data set, as the bytes of a shard."""

import itertools

import numpy as np
import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data import Examples
from keras_kd.data.augment import as_steps, describe, viewed
from keras_kd.data.hashes import content_hashes, id_hashes
from keras_kd.outputs import EnsembleOutputs
from keras_kd.teachers import _arguments
from keras_kd.teachers._source import as_source, counted, first_examples
from keras_kd.teachers._store import WHERE, Plan
from keras_kd.teachers.frozen import FrozenTeacher

PEEKED_EXAMPLES = 8


class Labelling:
    """What is to be computed, and the means to compute any shard of it.

    Whoever makes one of the same teacher, data and arguments has an equal plan and
    writes the same bytes, for a shard depends on nothing but its number.

    Args:
        teacher: see `keras_kd.teachers.label`.
        dataset: see there.
        top_k: see there.
        dtype: see there.
        views: see there.
        augment: see there.
        temperature: see there.
        batch_size: see there.
        shard_size: see there.

    Attributes:
        plan: `Plan` of the whole store.

    Raises:
        ValueError: An argument cannot be used, or the teacher cannot label the data.

    Example:
        >>> import keras
        >>> from keras_kd.data import load
        >>> layers = [keras.layers.Flatten(), keras.layers.Dense(10)]
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
        >>> labelling = Labelling(model, load("digits").test)
        >>> labelling.plan.num_shards, labelling.plan.num_classes
        (1, 10)
    """

    def __init__(
        self,
        teacher,
        dataset,
        *,
        top_k=None,
        dtype="float16",
        views=1,
        augment=None,
        temperature=None,
        batch_size=256,
        shard_size=None,
    ):
        _arguments.check_plain(dtype, views, batch_size, temperature)
        self._teacher = _arguments.as_teacher(teacher)
        self._source = as_source(WHERE, dataset, labels=False)
        self._steps = as_steps(augment)
        first = first_examples(WHERE, self._source, PEEKED_EXAMPLES)
        _arguments.check_augment(self._steps, views, self._source.examples, first)
        logits, is_mean = self._first_answer()
        num_classes = logits.shape[-1]
        head = self._teacher.head.activation
        is_sigmoid = head == "sigmoid" or num_classes == 1
        _arguments.check_top_k(top_k, num_classes, is_sigmoid)
        self._activation = "sigmoid" if is_sigmoid else "softmax"
        self.plan = Plan(
            teacher=self._teacher.fingerprint,
            head=head if head in ("softmax", "sigmoid") else "linear",
            num_classes=num_classes,
            dtype=dtype,
            top_k=top_k,
            temperature=_arguments.temperature_of(temperature, top_k, is_mean),
            is_mean=is_mean,
            views=views,
            augment=tuple(describe(self._steps)),
            count=self._source.count or counted(self._source),
            first_example=_name_of_first(first),
            batch_size=batch_size,
            shard_size=_arguments.shard_size_of(
                shard_size, batch_size, top_k or num_classes
            ),
        )
        self._rows = self.plan.rows
        self._answer = self._compiled_answer()

    def batches(self, first, last):
        """The rows of consecutive shards of one view, a batch at a time.

        Args:
            first: int, the number of the first shard.
            last: int, the number after the last.

        Yields:
            Structured arrays `(batch,)`, see `Rows.record`.
        """
        view, start, _ = self.plan.place_of(first)
        _, _, stop = self.plan.place_of(last - 1)
        examples = self._source.part(start, stop)
        examples = viewed(examples, self._steps, view).batch(self.plan.batch_size)
        # The autotuner delays the end of every iterator by a growing pause.
        options = tf.data.Options()
        options.autotune.enabled = False
        examples = examples.map(_with_hashes).prefetch(2).with_options(options)
        for batch in examples:
            fields = {**self._answer(batch["x"]), **batch["hashes"]}
            fields = {name: values.numpy() for name, values in fields.items()}
            rows = self._rows.packed(fields)
            _check_finite(fields, rows, batch["id"])
            yield rows

    def rows_of(self, shard, batches=None):
        """The rows of one shard.

        Args:
            shard: int, its number.
            batches: an iterator from `batches` that has come to this shard, to go on
                with; None to begin one.

        Returns:
            A structured array, see `Rows.record`.

        Raises:
            ValueError: The data set has fewer examples than it said, or the answers
                cannot be stored.
        """
        if batches is None:
            batches = self.batches(shard, shard + 1)
        _, start, stop = self.plan.place_of(shard)
        number = -(-(stop - start) // self.plan.batch_size)
        rows = list(itertools.islice(batches, number))
        found = sum(map(len, rows))
        if found != stop - start:
            raise invalid(
                WHERE,
                f"{self.plan.count} examples, as many as at first",
                start + found,
                "Pass a data set that gives the same each time it is read.",
            )
        return np.concatenate(rows)

    def _first_answer(self):
        """The logits of a few examples as the first view shows them.

        Returns:
            `(logits, is_mean)`, the latter for a mean of probabilities.
        """
        seen = self._source._replace(examples=self._view(0))
        few = Examples(first_examples(WHERE, seen, PEEKED_EXAMPLES)["x"])
        with _arguments.explained(self._source):
            answer = self._teacher.answer(few)
        _arguments.check_rank(answer.logits.shape)
        self._teacher.check_answer(WHERE, few)
        return answer.logits, isinstance(answer, EnsembleOutputs)

    def _view(self, view):
        return viewed(self._source.examples, self._steps, view)

    def _compiled_answer(self):
        """A graph from inputs to fields of rows."""
        inputs = tf.nest.map_structure(
            # One graph for whole and last batches, in whatever order they come, so that
            # no shard depends on the others.
            lambda leaf: tf.TensorSpec((None, *leaf.shape), leaf.dtype),
            self._view(0).element_spec["x"],
        )
        model = getattr(self._teacher, "model", None)
        # As `predict` does; other teachers do not say whether XLA suits them.
        jit_compile = isinstance(self._teacher, FrozenTeacher) and model.jit_compile

        @tf.function(input_signature=[inputs], jit_compile=bool(jit_compile))
        def answer(inputs):
            outputs = self._teacher.answer(Examples(inputs))
            outputs = outputs.at_temperature(self.plan.temperature, self._activation)
            return self._rows.chosen(outputs.logits)

        return answer


def _with_hashes(batch):
    hashes = {
        "id_hash": id_hashes(batch["id"]),
        "content_hash": content_hashes(batch["x"]),
    }
    return {**batch, "hashes": hashes}


def _name_of_first(first):
    """What tells one data set from another by its first example, before any view."""
    hashes = id_hashes(first["id"])[0], content_hashes(first["x"])[0]
    return "-".join(f"{int(number) & 0xFFFFFFFF:08x}" for number in hashes)


def _check_finite(fields, rows, ids):
    """Raises if an answer is not finite, or not in the smaller type."""
    for values, expected, fix in (
        (
            fields["logits"],
            "finite logits of the teacher",
            "Check the example, the teacher's preprocessing and its weights.",
        ),
        (
            rows["logits"],
            "logits that float16 can hold",
            'Label with dtype="float32".',
        ),
    ):
        is_bad = ~np.isfinite(values).all(axis=-1)
        if is_bad.any():
            name = ids.numpy()[is_bad][0].decode()
            raise invalid(WHERE, expected, f'others for example "{name}"', fix)

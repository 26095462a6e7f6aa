"""A data set and the soft targets of its examples, side by side, each pair checked."""

import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd.data import Examples
from keras_kd.data.augment import viewed
from keras_kd.data.hashes import content_hashes, id_hashes
from keras_kd.data.split import shuffled_among
from keras_kd.teachers._store import READ_BYTES

WHERE = "SoftTargets.attach"
EXPECTED = "the examples that were labelled, in the same order"
FIX = (
    "Attach the data set that was given to label, in its fixed order (attach can "
    "shuffle it), or label this one into another folder."
)


class Join:
    """Blocks of examples and of rows, in the order of both.

    Args:
        source: the `Source` of the examples.
        folder: `Path` of the store.
        plan: its `Plan`.
        steps: the steps of augmentation.
        check_content: bool, whether the content must be what was labelled, bit for bit.
    """

    def __init__(self, source, folder, plan, steps, *, check_content):
        self._source = source
        self._folder = folder
        self._plan = plan
        self._steps = steps
        self._check_content = check_content

    def check(self, view):
        """Reads everything once, and raises at the first example that differs."""
        differences = self._pairs(view).map(self._difference)
        differing = differences.filter(lambda text: tf.strings.length(text) > 0)
        for text in differing.take(1).as_numpy_iterator():
            raise invalid(WHERE, EXPECTED, text.decode(), FIX)

    def batches(self, view, batch_size, shuffle_seed):
        """One view of all examples as a student takes it; raises where they differ.

        Args:
            view: int.
            batch_size: int > 0.
            shuffle_seed: int, or None to keep the order.

        Returns:
            A `tf.data.Dataset` of `(Examples, y)`, or of `(Examples,)` without labels.
        """
        blocks = self._pairs(view).map(self._checked)
        if shuffle_seed is None:
            batches = blocks.rebatch(batch_size)
        else:
            pairs = blocks.unbatch()
            number = shuffled_among(self._plan.count, pairs.element_spec)
            batches = pairs.shuffle(number, seed=shuffle_seed).batch(batch_size)
        # After batching: dense rows of many classes would fill the shuffled buffer.
        return batches.map(self._as_fit_takes_it)

    def _as_fit_takes_it(self, example, rows):
        logits = self._plan.rows.dense_logits(rows)
        x = Examples(example["x"], soft_targets=logits)
        return (x, example["y"]) if "y" in example else (x,)

    def _checked(self, first, examples, rows):
        """Examples without their ids, and their rows."""
        text = self._difference(first, examples, rows)
        message = tf.strings.join(
            [f"{WHERE}: expected {EXPECTED}, got ", text, f". {FIX}"]
        )
        is_same = tf.equal(tf.strings.length(text), 0)
        with tf.control_dependencies([tf.debugging.Assert(is_same, [message])]):
            kept = {name: examples[name] for name in examples if name != "id"}
            return kept, tf.identity(rows)

    def _pairs(self, view):
        """`(first, examples, rows)`: the place of the first example, and two blocks.

        After the last block comes an empty one on each side, so that the longer side
        meets it.
        """
        plan = self._plan
        examples = viewed(self._source.examples, self._steps, view)
        end = tf.data.Dataset.from_tensors(
            tf.nest.map_structure(
                lambda leaf: tf.zeros((0, *leaf.shape), leaf.dtype),
                examples.element_spec,
            )
        )
        examples = examples.batch(plan.block_rows).concatenate(end)
        shards = range(view * plan.shards_per_view, (view + 1) * plan.shards_per_view)
        files = [str(self._folder / plan.file_name(shard)) for shard in shards]
        records = tf.data.TFRecordDataset(files, buffer_size=READ_BYTES)
        rows = records.concatenate(tf.data.Dataset.from_tensors("")).map(self._rows)
        places = tf.data.Dataset.counter(0, plan.block_rows)
        return tf.data.Dataset.zip(places, examples, rows)

    def _rows(self, record):
        values = tf.io.decode_raw(record, tf.uint8)
        return tf.reshape(values, (-1, self._plan.rows.row_bytes))

    def _difference(self, first, examples, rows):
        """What differs first in a block, a string scalar; "" if nothing does."""
        ids = examples["id"]
        both = tf.minimum(tf.shape(ids)[0], tf.shape(rows)[0])
        other = self._differs("id_hash", id_hashes(ids), rows, both)
        changed = tf.zeros_like(other)
        if self._check_content:
            content = content_hashes(examples["x"])
            changed = self._differs("content_hash", content, rows, both)
        is_same = tf.shape(ids)[0] == tf.shape(rows)[0]
        is_same &= ~tf.reduce_any(other | changed)

        def described():
            at = tf.argmax(
                tf.concat([other | changed, [True]], 0), output_type=tf.int32
            )
            place = tf.strings.as_string(first + tf.cast(at, first.dtype))
            name = tf.gather(tf.concat([ids, [""]], 0), at)
            is_other = tf.gather(tf.concat([other, [False]], 0), at)
            is_changed = tf.gather(tf.concat([changed, [False]], 0), at)
            is_extra = at < tf.shape(ids)[0]
            kinds = [
                (is_other, ['another example, "', name, '", as number ', place]),
                (is_changed, ['"', name, '" (number ', place, ") with other content"]),
                (is_extra, ['"', name, '" (number ', place, ") after the last one"]),
            ]
            text = tf.strings.join(["no example number ", place, ", the end too early"])
            for condition, parts in reversed(kinds):
                text = tf.where(condition, tf.strings.join(parts), text)
            return text

        return tf.cond(is_same, lambda: tf.constant(""), described)

    def _differs(self, name, hashes, rows, both):
        stored = self._plan.rows.column(rows, name)[:, 0]
        return hashes[:both] != stored[:both]

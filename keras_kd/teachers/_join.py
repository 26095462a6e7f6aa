"""A data set and the soft targets of its examples, side by side, each pair checked."""

import numpy as np
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
        blocks = self._blocks(view).map(self._what_tells)
        for block in blocks.as_numpy_iterator():
            self._compare(*block)

    def batches(self, views, batch_size, shuffle_seed):
        """All examples of each view in turn, as a student takes them.

        Args:
            views: list of int.
            batch_size: int > 0; the last batch of a view may be smaller.
            shuffle_seed: int to shuffle each view anew; None to keep the order.

        Returns:
            A `tf.data.Dataset` of `(Examples, y)`, or of `(Examples,)` without labels;
            reading it raises where an example is not the one that was labelled.
        """
        seeds = tf.data.Dataset.random(
            seed=shuffle_seed or 0, rerandomize_each_iteration=True
        )
        order = tf.data.Dataset.from_tensor_slices(np.asarray(views, "int64"))
        is_shuffled = shuffle_seed is not None

        def of_view(view, seed):
            blocks = self._blocks(view).map(self._checked)
            if not is_shuffled:
                return blocks.rebatch(batch_size)
            pairs = blocks.unbatch()
            number = shuffled_among(self._plan.count, pairs.element_spec)
            # Of this function alone: where TensorFlow's global seed is 0 it asks in
            # Python whether the other is 0 too. `seeds` have followed from both.
            tf.compat.v1.set_random_seed(1)
            return pairs.shuffle(number, seed=seed).batch(batch_size)

        # One function for all views: with one for each, 60 views take half a minute.
        batches = tf.data.Dataset.zip(order, seeds).flat_map(of_view)
        # After batching: dense rows of many classes would fill the shuffled buffer.
        return batches.map(self._as_fit_takes_it)

    def _as_fit_takes_it(self, example, rows):
        logits = self._plan.rows.dense_logits(rows)
        x = Examples(example["x"], soft_targets=logits)
        return (x, example["y"]) if "y" in example else (x,)

    def _checked(self, first, examples, record):
        """Examples without their ids, and their rows; raises where they differ."""
        block = self._what_tells(first, examples, record)
        rows = tf.io.decode_raw(record, tf.uint8)
        rows = tf.reshape(rows, (-1, self._plan.rows.row_bytes))
        # Python is called to tell what differs only: a data set that always calls it
        # can hang the exit of an interrupted program.
        is_same = tf.cond(
            self._is_same(rows, *block[3:]),
            lambda: True,
            lambda: tf.numpy_function(self._compare, block, tf.bool),
        )
        with tf.control_dependencies([is_same]):
            kept = {name: examples[name] for name in examples if name != "id"}
            return kept, tf.identity(rows)

    def _is_same(self, rows, *hashes):
        """Whether a block has as many rows, each with the hashes given."""
        is_same = tf.shape(hashes[0])[0] == tf.shape(rows)[0]
        both = tf.minimum(tf.shape(hashes[0])[0], tf.shape(rows)[0])
        names = ("id_hash", "content_hash")
        for name, ours in zip(names, hashes, strict=False):
            theirs = self._plan.rows.column(rows, name)[:, 0]
            is_same &= tf.reduce_all(ours[:both] == theirs[:both])
        return is_same

    def _blocks(self, view):
        """`(first, examples, record)`: the place of the first example, and two blocks.

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
        shards = range(plan.views * plan.shards_per_view)
        files = [str(self._folder / plan.file_name(shard)) for shard in shards]
        of_views = tf.reshape(tf.constant(files), (plan.views, plan.shards_per_view))
        records = tf.data.TFRecordDataset(of_views[view], buffer_size=READ_BYTES)
        records = records.concatenate(tf.data.Dataset.from_tensors(""))
        places = tf.data.Dataset.counter(0, plan.block_rows)
        return tf.data.Dataset.zip(places, examples, records)

    def _what_tells(self, first, examples, record):
        """What `_compare` takes, of a block."""
        hashes = {"id_hash": id_hashes(examples["id"])}
        if self._check_content:
            hashes["content_hash"] = content_hashes(examples["x"])
        return first, examples["id"], record, *hashes.values()

    def _compare(self, first, ids, record, *hashes):
        """True; raises at the first example of a block that differs."""
        rows = np.frombuffer(record, self._plan.rows.record)
        both = min(len(ids), len(rows))
        stored = (rows["id_hash"], rows["content_hash"])
        pairs = zip(hashes, stored, strict=False)
        differ = np.stack([ours[:both] != theirs[:both] for ours, theirs in pairs])
        at = int(np.argmax([*differ.any(axis=0), True]))
        if at == len(ids) == len(rows):
            return np.True_
        name = ids[at].decode() if at < len(ids) else ""
        if at < both and differ[0, at]:
            got = f'another example, "{name}", as number {first + at}'
        elif at < both:
            got = f'"{name}" (number {first + at}) with other content'
        elif at < len(ids):
            got = f'"{name}" (number {first + at}) after the last one'
        else:
            got = f"no example number {first + at}, the end too early"
        raise invalid(WHERE, EXPECTED, got, FIX)

"""Computes a teacher's answers once and keeps them on disk."""

import contextlib
import itertools
from pathlib import Path

from keras_kd._files import check_space, written_whole
from keras_kd._progress import shown
from keras_kd.teachers import _store
from keras_kd.teachers._labelling import Labelling
from keras_kd.teachers._store import WHERE
from keras_kd.teachers.soft_targets import SoftTargets


def label(
    teacher,
    dataset,
    path,
    *,
    top_k=None,
    dtype="float16",
    views=1,
    augment=None,
    temperature=None,
    batch_size=256,
    shard_size=None,
    progress=False,
):
    """Computes a teacher's logits for a data set and keeps them in a folder.

    Stopped at any moment, the same call goes on where it was: shards that are whole
    stay, others are made once more, and the result has the same bytes, where the device
    itself repeats its results. Called on a complete store it checks each shard and
    replaces damaged ones. Of several processes on one folder each finds what the others
    have done.

    One shard, and a few batches, are in memory at a time.

    Args:
        teacher: Keras model, list of them, or `Teacher`, an `Ensemble` too.
        dataset: `keras_kd.data.Split`, or `tf.data.Dataset` of dicts with "id" (string
            scalar) and "x" in an order that is the same each time it is read.
        path: str or `Path`, the folder; made if it does not exist.
        top_k: int below the number of classes, to keep only the likeliest and the mass
            of the others together. Default: all.
        dtype: "float16" or "float32", of the stored logits. Default "float16".
        views: int > 0, how many times to label each example, each time augmented
            otherwise. Default 1.
        augment: function of `(image, seed)`, such as `keras_kd.data.random_crop(2)`, or
            a list of them. The seed follows from the example's id and the number of the
            view, so that the student sees what the teacher labelled.
        temperature: float > 0, at which the mass of the other classes (with `top_k`)
            and the mean of an ensemble's probabilities are exact. Default 1.0; such an
            ensemble needs that of the distillation.
        batch_size: int > 0, examples that the teacher is given together. Default 256.
        shard_size: int, examples a file, in whole batches. Default: about 8192, fewer
            where they would take more than 64 MB.
        progress: bool, whether to show a bar with the rate and the time left.

    Returns:
        `SoftTargets` of the folder.

    Raises:
        ValueError: The teacher cannot label the data; the folder holds something else,
            or what another teacher, other data or arguments began; its disk is full.

    Reference:
        Shen & Xing, "A Fast Knowledge Distillation Framework for Visual Recognition",
        ECCV 2022, https://arxiv.org/abs/2112.01528; Beyer et al., "Knowledge
        distillation: A good teacher is patient and consistent", CVPR 2022,
        https://arxiv.org/abs/2106.05237.
        Departures: the seed of a view is stored nowhere but follows from the id.

    Example:
        >>> import keras, tempfile
        >>> from keras_kd.data import load
        >>> layers = [keras.Input((8, 8, 1)), keras.layers.Flatten()]
        >>> teacher = keras.Sequential([*layers, keras.layers.Dense(10)])
        >>> soft = label(teacher, load("digits").train, tempfile.mkdtemp(), top_k=3)
        >>> soft.num_classes, soft.count
        (10, 987)
    """
    labelling = Labelling(
        teacher,
        dataset,
        top_k=top_k,
        dtype=dtype,
        views=views,
        augment=augment,
        temperature=temperature,
        batch_size=batch_size,
        shard_size=shard_size,
    )
    folder = Path(path)
    _store.start(WHERE, folder, labelling.plan)
    with _store.only_writer(folder):
        _complete(labelling, folder, progress)
    return SoftTargets(folder)


def _complete(labelling, folder, progress):
    """Computes the shards that a store lacks, and writes that it is complete."""
    plan = labelling.plan
    shards, missing = missing_shards(WHERE, folder, plan)
    total = plan.views * plan.count
    done = total - _examples_of(plan, missing)
    with shown("Labelling", total=total, done=done, show=progress) as advance:
        for run in runs_of(plan, missing):
            # Left open by an error, a data set that calls Python can hang the exit.
            with contextlib.closing(labelling.batches(run[0], run[-1] + 1)) as batches:
                told = _told(batches, advance)
                for shard in run:
                    rows = labelling.rows_of(shard, told)
                    shards[shard] = written(folder, plan, shard, rows)
    _store.finish(folder, shards)


def missing_shards(where, folder, plan):
    """Looks at all shards of a store, and whether there is room for those it lacks.

    Args:
        where: str, see `invalid`.
        folder: `Path`.
        plan: the store's `Plan`.

    Returns:
        `(shards, missing)`: what `look_at` tells of each shard, and the numbers of
        those that are missing, damaged or other than they were.

    Raises:
        ValueError: The disk is too full.
    """
    known = _store.read(where, folder)[1] or [None] * plan.num_shards
    shards = [_store.look_at(folder, plan, shard) for shard in range(plan.num_shards)]
    missing = [
        shard
        for shard, (there, then) in enumerate(zip(shards, known, strict=True))
        if there is None or then not in (None, there)
    ]
    to_do = _examples_of(plan, missing)
    check_space(where, folder, int(1.01 * to_do * plan.rows.row_bytes) + 2**16)
    return shards, missing


def written(folder, plan, shard, rows):
    """Writes one shard, whole or not at all, and reads it back.

    Args:
        folder: `Path`.
        plan: the store's `Plan`.
        shard: int, its number.
        rows: see `write_shard`.

    Returns:
        What `look_at` tells of it.

    Raises:
        ValueError: The disk is full, or refuses.
    """
    with _store.needing_room(WHERE, folder):
        with written_whole(folder / plan.file_name(shard)) as (file,):
            _store.write_shard(file, plan, rows)
        known = _store.look_at(folder, plan, shard)
        if known is None:
            raise OSError(f"{plan.file_name(shard)} is not what was written")
    return known


def _told(batches, advance):
    for rows in batches:
        advance(len(rows))
        yield rows


def runs_of(plan, shards):
    """Shards that follow each other in one view, for which the data are read once."""
    runs = itertools.groupby(
        enumerate(shards),
        lambda item: (item[1] - item[0], plan.place_of(item[1])[0]),
    )
    return [[shard for _, shard in run] for _, run in runs]


def _examples_of(plan, shards):
    places = map(plan.place_of, shards)
    return sum(stop - start for _, start, stop in places)

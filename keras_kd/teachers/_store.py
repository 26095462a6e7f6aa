"""A folder of soft targets: what it is to hold, its shards, whether all are whole."""

import contextlib
import hashlib
import importlib
import itertools
import json
import math
import os
import shutil
from dataclasses import asdict, dataclass, field, fields

import tensorflow as tf

from keras_kd._checks import invalid
from keras_kd._files import create_json, write_json
from keras_kd._versions import version
from keras_kd.teachers._rows import Rows

WHERE = "keras_kd.teachers.label"
MANIFEST = "soft_targets.json"
FORMAT = 1
MOST_BLOCK_ROWS = 64
READ_BYTES = 2**20
FRAMING_BYTES = 16  # a TFRecord has its length and two checksums
_PACKAGES = ("keras-kd", "keras", "tensorflow")


@dataclass(frozen=True)
class Plan:
    """What a store holds: decided before the first shard, the same for every writer.

    Attributes:
        teacher: str, its fingerprint.
        head: "linear", "softmax" or "sigmoid": how the teacher's logits are read.
        num_classes: int.
        dtype: "float16" or "float32", of the stored logits.
        top_k: int, or None for all classes.
        temperature: float, at which the tail of `top_k`, and the mean of an ensemble's
            probabilities, are exact; None where there is neither.
        is_mean: bool, whether the logits are of a mean of probabilities, which is right
            at that temperature only.
        views: int, how many times each example was labelled.
        augment: tuple of str, the names of the steps between one view and another.
        count: int, the number of examples.
        first_example: str, what identifies it.
        batch_size: int, examples that the teacher was given together.
        shard_size: int, examples a shard.
        versions: dict of package to version; no part of what must be equal.
        format: int, of the files.
    """

    teacher: str
    head: str
    num_classes: int
    dtype: str
    top_k: int | None
    temperature: float | None
    is_mean: bool
    views: int
    augment: tuple[str, ...]
    count: int
    first_example: str
    batch_size: int
    shard_size: int
    versions: dict = field(
        default_factory=lambda: {name: version(name) for name in _PACKAGES},
        compare=False,
    )
    format: int = FORMAT

    @property
    def rows(self):
        """The `Rows` of its shards."""
        return Rows(self.num_classes, self.dtype, self.top_k, self.temperature or 1.0)

    @property
    def shards_per_view(self):
        """The number of shards of one view."""
        return math.ceil(self.count / self.shard_size)

    @property
    def num_shards(self):
        """The number of all shards; view after view, each in the order of the data."""
        return self.views * self.shards_per_view

    @property
    def block_rows(self):
        """The number of rows in a record: it divides all shards but the last."""
        most = min(MOST_BLOCK_ROWS, self.shard_size)
        return next(n for n in range(most, 0, -1) if self.shard_size % n == 0)

    def place_of(self, shard):
        """`(view, start, stop)`: the examples of a shard, by its number."""
        view, number = divmod(shard, self.shards_per_view)
        start = number * self.shard_size
        return view, start, min(start + self.shard_size, self.count)

    def file_bytes(self, shard):
        """The size of a shard's file."""
        _, start, stop = self.place_of(shard)
        records = math.ceil((stop - start) / self.block_rows)
        return (stop - start) * self.rows.row_bytes + records * FRAMING_BYTES

    def file_name(self, shard):
        """The name of a shard's file."""
        return f"shard-{shard:05d}-of-{self.num_shards:05d}.tfrecord"


def read(where, folder):
    """What a folder says that it holds.

    Args:
        where: str, see `invalid`.
        folder: `Path`.

    Returns:
        `(plan, shards)`: a `Plan` and the list of what is known of each shard, None
        while they are being written; `(None, None)` if the folder says nothing.

    Raises:
        ValueError: The manifest cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None, None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        shards = content.pop("shards")
        content["augment"] = tuple(content["augment"])
        if content["format"] == FORMAT:
            return Plan(**content), shards
        found = f"format {content['format']}"
    except (ValueError, KeyError, TypeError, OSError) as error:
        found = repr(error)
    raise invalid(
        where,
        f"a {MANIFEST} of format {FORMAT}, as keras_kd.teachers.label writes it",
        f'"{path}" with {found}',
        "Label once more, into another folder.",
    )


def start(where, folder, plan):
    """Makes a folder the store of a plan, or checks that it is that already.

    Args:
        where: str, see `invalid`.
        folder: `Path`, made if it does not exist.
        plan: the `Plan`.

    Raises:
        ValueError: It holds, or is to hold, something else.
    """
    with needing_room(where, folder):
        folder.mkdir(parents=True, exist_ok=True)
    if next(folder.glob("shard-*"), None) and not (folder / MANIFEST).exists():
        raise invalid(
            where,
            "a folder of its own for the soft targets",
            f'"{folder}", which holds shards without their {MANIFEST}',
            "Choose another folder, or empty this one.",
        )
    with needing_room(where, folder):
        create_json(folder / MANIFEST, {**asdict(plan), "shards": None})
    there, _ = read(where, folder)
    for name in (entry.name for entry in fields(plan) if entry.compare):
        old, new = getattr(there, name), getattr(plan, name)
        if old != new:
            raise invalid(
                where,
                f'what the store "{folder}" was begun with, {name}={old!r}',
                f"{name}={new!r}",
                "Repeat the same teacher, data and arguments to go on, or choose "
                "another folder.",
            )


def finish(folder, shards):
    """Writes that a store is complete, and takes away what killed processes left.

    Args:
        folder: `Path`.
        shards: what `look_at` tells of each shard.
    """
    begun, known = read(WHERE, folder)
    if known != shards:
        with needing_room(WHERE, folder):
            write_json(folder / MANIFEST, {**asdict(begun), "shards": shards})
    patterns = (".shard-*", ".soft_targets-*", ".new-*")
    for unfinished in itertools.chain(*map(folder.glob, patterns)):
        if unfinished.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def needing_room(where, folder):
    """Says what can be done where a disk is full, or refuses to be written.

    Args:
        where: str, see `invalid`.
        folder: `Path`.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise invalid(
            where,
            f'to be able to write to "{folder}"',
            getattr(error, "message", None) or error,
            "Make room there, or choose another folder; the same call goes on.",
        ) from error


def write_shard(file, plan, rows):
    """Writes the rows of a shard as TFRecords, so many a record that framing is small.

    Args:
        file: `Path` of the new file.
        plan: the store's `Plan`.
        rows: structured array, see `Rows.record`.
    """
    with tf.io.TFRecordWriter(str(file)) as writer:
        for first in range(0, len(rows), plan.block_rows):
            writer.write(rows[first : first + plan.block_rows].tobytes())


def look_at(folder, plan, shard):
    """What there is of one shard, each record of which is checked by its CRC32C.

    Args:
        folder: `Path`.
        plan: the store's `Plan`.
        shard: int, its number.

    Returns:
        A dict with "file", "count" and "sha256"; None if it is missing or damaged.
    """
    file = folder / plan.file_name(shard)
    # TensorFlow takes a few bytes after the last record for the end of the file.
    if not file.is_file() or file.stat().st_size != plan.file_bytes(shard):
        return None
    try:
        for _ in tf.data.TFRecordDataset(str(file), buffer_size=READ_BYTES):
            pass
    except tf.errors.DataLossError:
        return None
    _, start, stop = plan.place_of(shard)
    return {"file": file.name, "count": stop - start, "sha256": digest_of(file)}


def digest_of(file):
    """The SHA-256 of a file, hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def check_shards(where, folder, shards):
    """Raises if a shard has changed since it was written.

    Args:
        where: str, see `invalid`.
        folder: `Path`.
        shards: what the manifest tells of each.
    """
    for shard in shards:
        file = folder / shard["file"]
        if not file.is_file() or digest_of(file) != shard["sha256"]:
            raise invalid(
                where,
                f"the shard {file} as it was written",
                "a damaged file" if file.is_file() else "no such file",
                "Call label with the same arguments: it makes this shard anew.",
            )


@contextlib.contextmanager
def only_writer(folder):
    """Waits until no other process of this machine writes to a store.

    The system ends the lock with its process, however that ends. It only saves work:
    the shards are the same whoever writes them, and each is renamed when it is whole.

    Args:
        folder: `Path`.
    """
    with contextlib.ExitStack() as stack:
        # File systems, and whole systems, without such locks do without.
        with contextlib.suppress(ImportError, OSError):
            fcntl = importlib.import_module("fcntl")
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield

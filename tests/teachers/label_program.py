"""A labelling as a program of its own, so that it can be killed: test_label_faults."""

import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_kd.data import Split
from keras_kd.teachers import label

EXAMPLES = 1200
SHARD_SIZE = 128  # two records each
SECONDS_AN_EXAMPLE = 0.001


def make_teacher():
    """The same in every process."""
    generator = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(50)])
    model.set_weights([generator.normal(size=(5, 50)), generator.normal(size=50)])
    return model


def make_data(seconds=0.0, filler=None):
    """Examples that take their time to be read.

    Args:
        seconds: float, for each example.
        filler: `Path` of a file to be made in the middle of the data, which takes all
            the room of its disk but some kilobytes; None for no such thing.
    """
    x = np.random.default_rng(1).normal(size=(EXAMPLES, 5)).astype("float32")
    ids = [f"row {number}" for number in range(EXAMPLES)]
    examples = tf.data.Dataset.from_tensor_slices({"id": ids, "x": x})

    def read(x, name):
        time.sleep(seconds)
        if filler is not None and name == b"row 600":
            free = os.statvfs(filler.parent)
            filler.write_bytes(bytes(free.f_bavail * free.f_frsize - 8_000))
        return x

    def slowly(example):
        x = tf.numpy_function(read, [example["x"], example["id"]], tf.float32)
        return {**example, "x": tf.ensure_shape(x, (5,))}

    return Split(examples.map(slowly) if seconds or filler else examples, EXAMPLES)


def run(folder, *, seconds=0.0, filler=None, **options):
    """Ten shards."""
    label(
        make_teacher(),
        make_data(seconds, filler),
        folder,
        batch_size=32,
        shard_size=SHARD_SIZE,
        **options,
    )


def run_and_kill(folder, stores, kills, seed):
    """Labels into folder/1, folder/2, …; each attempt is killed but the last of each.

    An attempt is a process of its own, forked before TensorFlow starts its threads,
    which saves its import. Half of the moments are counted from its start, half from
    the first sign of work, a file in the store that was not there; so some fall on any
    part of it, on slow machines too.
    """
    moments = random.Random(seed)
    begun = time.monotonic()
    assert _end(_start(folder / "whole")) == 0
    life = time.monotonic() - begun
    for number in range(1, stores + 1):
        store = folder / str(number)
        for attempt in range(kills):
            process = _start(store)
            if attempt % 2:
                there = _files(store)
                while _files(store) == there and not _has_ended(process):
                    time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.4 if attempt % 2 else life / 2))
            os.kill(process, signal.SIGKILL)
            sys.stdout.write("killed\n" if _end(process) else "too late\n")
        assert _end(_start(store)) == 0


def _files(store):
    return sorted(os.listdir(store)) if store.exists() else []


def _start(store):
    process = os.fork()
    if process == 0:
        try:
            run(store, seconds=SECONDS_AN_EXAMPLE)
            os._exit(0)
        finally:
            os._exit(1)
    return process


def _has_ended(process):
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process, options) is not None


def _end(process):
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code


if __name__ == "__main__":
    command, place, *numbers = sys.argv[1:]
    if command == "kill":
        run_and_kill(Path(place), *map(int, numbers))
    elif command == "slowly":
        run(Path(place), seconds=SECONDS_AN_EXAMPLE)
    elif command == "slowly top_k":
        run(Path(place), seconds=SECONDS_AN_EXAMPLE, top_k=3)
    elif command == "small files":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(numbers[0]),) * 2)
        run(Path(place))
    elif command == "filled disk":
        run(Path(place), filler=Path(place).parent / "filler")

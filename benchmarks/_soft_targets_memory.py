"""The peak memory of labelling, or of training from what was labelled.

Run: python benchmarks/_soft_targets_memory.py TASK EXAMPLES FOLDER
"""

import sys
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd.data import Split
from keras_kd.teachers import SoftTargets, label

SHAPE = (128, 128, 3)
CLASSES = 1000
SHARD_SIZE = 2048
# What labels comes first: the others read what it wrote.
TASKS = ("label", "train", "train_shuffled", "plain_shuffled")


def images(number):
    """A `Split` of images that are made when they are read, and nowhere kept."""
    pattern = tf.random.stateless_uniform(SHAPE, (0, 0))

    def image(index):
        brightness = tf.cast(index, tf.float32) / number
        y = tf.cast(index % CLASSES, tf.int64)
        x = pattern * brightness
        return {"id": tf.strings.as_string(index), "x": x, "y": y}

    return Split(tf.data.Dataset.range(number).map(image), number)


def network():
    """A classifier that costs little, so that the data set can be large."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.AveragePooling2D(8),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


def peak_bytes():
    """The largest resident size of this process so far.

    Not `ru_maxrss`, which on Linux begins with the size of the process that started
    this one.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def run(task, split, folder):
    """Labels, or trains for an epoch."""
    if task == "label":
        label(network(), split, folder, shard_size=SHARD_SIZE)
        return
    student = network()
    seed = 0 if task.endswith("_shuffled") else None
    if task == "plain_shuffled":
        student.compile("adam", keras.losses.SparseCategoricalCrossentropy(True))
        student.fit(split.batches(64, shuffle_seed=seed), verbose=0, shuffle=False)
        return
    soft = SoftTargets(folder)
    distiller = keras_kd.Distiller(soft, student)
    distiller.compile("adam")
    distiller.fit(soft.attach(split, batch_size=64, shuffle_seed=seed), verbose=0)


def main():
    """Does one task and prints the peak."""
    task, number, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if task not in TASKS:
        raise SystemExit(f"{task} is none of {', '.join(TASKS)}")
    keras.utils.set_random_seed(0)
    run(task, images(number), folder)
    print(peak_bytes())


if __name__ == "__main__":
    main()

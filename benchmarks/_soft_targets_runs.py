"""The contestants of `soft_targets.py`: data, networks, and one epoch of each."""

import functools

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd import students
from keras_kd.data import Split, random_crop
from keras_kd.teachers import SoftTargets, label

BATCH_SIZE = 64
LABEL_BATCH_SIZE = 256
TEMPERATURE = 4.0
ALPHA = 0.1
# Width and blocks a stage.
STUDENT = (16, 2)
TEACHERS = {"10x": (48, 3), "20x": (64, 4)}
MANY_CLASSES = 1000
CROP = random_crop(4)


def random_images(number):
    """A `Split` of 32x32 JPEG files in memory, decoded whenever they are read."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (number, 32, 32, 3), dtype="uint8")
    examples = tf.data.Dataset.from_tensor_slices(
        {
            "id": [f"random-{n:06d}" for n in range(number)],
            "x": [tf.io.encode_jpeg(image).numpy() for image in pixels],
            "y": generator.integers(0, 10, number),
        }
    )

    def decoded(example):
        x = tf.ensure_shape(tf.io.decode_jpeg(example["x"], channels=3), (32, 32, 3))
        return {**example, "x": tf.cast(x, tf.float32) / 255.0}

    return Split(examples.map(decoded, num_parallel_calls=2), number)


def num_classes(split):
    """The number of classes, which are numbered from 0."""
    labels = split.examples.map(lambda example: example["y"])
    return 1 + int(labels.reduce(np.int64(0), tf.maximum))


def network(split, classes, width, depth):
    """An image classifier without softmax: two stages of `depth` convolutions."""
    inputs = keras.Input(split.examples.element_spec["x"].shape)
    x = inputs
    for stage in (1, 2):
        for _ in range(depth):
            x = layers.Conv2D(width * stage, 3, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization()(x)
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x))


def hard_loss():
    """The loss on labels that all share."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def plain(split, student, *, seed=0, augment=None):
    """A function that trains the student alone for some epochs."""
    student.compile("adam", hard_loss(), metrics=["accuracy"])
    data = split.batches(BATCH_SIZE, shuffle_seed=seed, augment=augment)
    return lambda epochs=1: student.fit(data, epochs=epochs, verbose=0, shuffle=False)


def stored(split, student, folder, *, seed=0, augment=None):
    """A function that trains the student from stored soft targets."""
    soft = SoftTargets(folder)
    data = soft.attach(split, batch_size=BATCH_SIZE, shuffle_seed=seed, augment=augment)
    distiller = keras_kd.Distiller(soft, student, alpha=ALPHA, temperature=TEMPERATURE)
    distiller.compile("adam", hard_loss(), metrics=["accuracy"])
    return lambda epochs=1: distiller.fit(data, epochs=epochs, verbose=0, shuffle=False)


def live(split, student, teacher, *, seed=0):
    """A function that trains the student with Keras's own distiller and the teacher."""
    kl = keras.losses.KLDivergence()
    distiller = keras.distillation.Distiller(
        teacher,
        student,
        keras.distillation.LogitsDistillation(TEMPERATURE, loss=kl),
        student_loss_weight=ALPHA,
    )
    distiller.compile("adam", loss=hard_loss(), metrics=["accuracy"])
    data = split.batches(BATCH_SIZE, shuffle_seed=seed)
    return lambda epochs=1: distiller.fit(data, epochs=epochs, verbose=0, shuffle=False)


def epoch_contestants(split, folder):
    """The plain student and those with stored soft targets, one epoch each.

    Args:
        split: the `Split` to train on.
        folder: `Path` for the stores, which are named like the contestants.
    """
    few, many = num_classes(split), MANY_CLASSES
    contestants = {}
    for name, classes, augment, stores in (
        ("plain", few, None, {"full": None}),
        ("plain_cropped", few, CROP, {"full_cropped": None}),
        (
            f"plain_{many}",
            many,
            None,
            {f"full_of_{many}": None, f"top_10_of_{many}": 10},
        ),
    ):
        student = network(split, classes, *STUDENT)
        contestants[name] = plain(split, student, augment=augment)
        teacher = network(split, classes, *STUDENT)
        for store, top_k in stores.items():
            place = folder / store
            label(teacher, split, place, top_k=top_k, augment=augment)
            student = network(split, classes, *STUDENT)
            contestants[store] = stored(split, student, place, augment=augment)
    return contestants


class Totals:
    """What whole distillations consist of, for each of the `TEACHERS`.

    Args:
        split: the `Split` to train on.
        folder: `Path` for stores.
    """

    def __init__(self, split, folder):
        self._split = split
        self._folder = folder
        self._classes = num_classes(split)
        self._stores = 0
        self._teachers = {name: self._network(*size) for name, size in TEACHERS.items()}

    def contestants(self):
        """Functions that do each part once, by name."""
        split = self._split
        first = Split(split.examples.take(LABEL_BATCH_SIZE), LABEL_BATCH_SIZE)
        folder = self._label("10x", split)
        parts = {
            "forward_student": _forward(split, self._student()),
            "plain": plain(split, self._student()),
            "stored": stored(split, self._student(), folder),
            "attach": lambda: SoftTargets(folder).attach(split, shuffle_seed=0),
        }
        for name, teacher in self._teachers.items():
            parts[f"forward_{name}"] = _forward(split, teacher)
            parts[f"keras_{name}"] = live(split, self._student(), teacher)
            for what, part in (("", split), ("first_batch_", first)):
                label_it = functools.partial(self._label, name, part)
                predict_it = functools.partial(_predict, teacher, part)
                parts[f"label_{what}{name}"] = label_it
                parts[f"predict_{what}{name}"] = predict_it
        return parts

    def whole_runs(self, epochs):
        """Functions that do everything from the start, tracing included."""
        split = self._split

        def from_store(name):
            return stored(split, self._student(), self._label(name, split))(epochs)

        runs = {"plain": lambda: plain(split, self._student())(epochs)}
        for name, teacher in self._teachers.items():
            runs[f"predict_{name}"] = functools.partial(_predict, teacher, split)
            runs[f"stored_{name}"] = functools.partial(from_store, name)
            runs[f"keras_{name}"] = lambda teacher=teacher: live(
                split, self._student(), teacher
            )(epochs)
        return runs

    def _network(self, width, depth):
        return network(self._split, self._classes, width, depth)

    def _student(self):
        return self._network(*STUDENT)

    def _label(self, name, split):
        """Labels a split into a new folder, which it returns."""
        self._stores += 1
        folder = self._folder / f"store_{self._stores}"
        label(self._teachers[name], split, folder, batch_size=LABEL_BATCH_SIZE)
        return folder


def _predict(model, split):
    """A teacher's pass over the batches that `label` gives it, traced like there."""
    model.make_predict_function(force=True)
    model.predict(split.batches(LABEL_BATCH_SIZE, labels=False), verbose=0)


def _forward(split, model):
    """A function that runs a model on one batch a few times."""
    x, _ = next(iter(split.batches(BATCH_SIZE)))
    forward = tf.function(lambda: model(x, training=False))

    def run():
        for _ in range(4):
            forward()

    return run


def accuracies(seeds, epochs, folder):
    """Test accuracies on digits after equal training.

    Args:
        seeds: int, how many.
        epochs: int, of the students.
        folder: `Path` for a store.

    Returns:
        The teacher's, and a dict of contestant to list, one a seed.
    """
    digits = keras_kd.data.load("digits")
    train, (x, y) = digits.train, digits.test.arrays()

    def accuracy(model):
        return float(np.mean(model.predict(x, verbose=0).argmax(-1) == y))

    keras.utils.set_random_seed(0)
    shape = digits.input_shape
    teacher = students.convnet(shape, 10, width=32)
    plain(train, teacher)(epochs)
    label(teacher, train, folder)
    result = {"plain": [], "stored": [], "keras": []}
    for seed in range(seeds):
        for name in result:
            keras.utils.set_random_seed(seed)
            student = students.convnet(shape, 10, width=8)
            if name == "plain":
                run = plain(train, student, seed=seed)
            elif name == "stored":
                run = stored(train, student, folder, seed=seed)
            else:
                run = live(train, student, teacher, seed=seed)
            run(epochs)
            result[name].append(accuracy(student))
    return accuracy(teacher), result

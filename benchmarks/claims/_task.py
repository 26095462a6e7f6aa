"""The data sets of the claims, and how models learn them."""

import functools
import math
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

import keras_kd
from keras_kd.data import load, random_crop, random_flip
from keras_kd.data.split import Split
from keras_kd.students import convnet, residual_net
from keras_kd.teachers import SoftTargets

SECOND = "keras.distillation"
"""The second implementation, by which a claim that fails is checked."""


@dataclass(frozen=True)
class Task:
    """A data set with a teacher, a student and a schedule for it.

    Attributes:
        name: str.
        data: `DataSet`.
        builder: function of `(input_shape, num_classes, width=…)`.
        teacher_width: int.
        student_width: int, of the usual student.
        augment: for `Split.batches`, or None.
        batch_size: int.
        teacher_epochs: int.
        epochs: int, of students, of as many steps with few labels as with all.
        teacher_rate: float, Adam's, where the cosine begins.
        rates: tuple of float, among which every way to learn chooses on validation.
        shares_rates: bool, whether what the usual students chose serves all claims.
        narrower: int, how many times fewer channels teachers have of whom each seed
            needs its own.
    """

    name: str
    data: object
    builder: object
    teacher_width: int
    student_width: int
    augment: object
    batch_size: int
    teacher_epochs: int
    epochs: int
    teacher_rate: float
    rates: tuple
    shares_rates: bool
    narrower: int

    @property
    def steps_per_epoch(self):
        """How many batches the training part has."""
        return math.ceil(len(self.data.train) / self.batch_size)

    def model(self, width, seed):
        """An untrained model; the same seed gives the same weights."""
        keras.utils.set_random_seed(seed)
        return self.builder(self.data.input_shape, self.data.num_classes, width=width)

    def student(self, seed, width=None):
        """An untrained student of the usual width, or of another."""
        return self.model(width or self.student_width, seed)


def task_of(name):
    """The `Task` of "digits" or "folder:PATH" (CIFAR-10, or a part of it)."""
    data = load(name)
    # In memory: reading the files in every epoch takes longer than a small student.
    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    held = {name: subset(part, np.arange(len(part))) for name, part in parts.items()}
    data = replace(data, **held)
    if name == "digits":
        return Task(
            "digits", data, convnet, 32, 4, random_crop(1), 32, 40, 40, 3e-3,
            (3e-3, 1e-2, 3e-2, 1e-1), shares_rates=False, narrower=1,
        )  # fmt: skip
    # Images are halved at once, or the students of all claims take a day.
    builder = functools.partial(residual_net, stem_strides=2)
    augment = (random_crop(4), random_flip)
    return Task(
        "cifar10_small", data, builder, 32, 8, augment, 64, 24, 15, 3e-3,
        (3e-3, 1e-2, 3e-2), shares_rates=True, narrower=2,
    )  # fmt: skip


def learn(task, model, *, seed, rate, teacher=None, **options):
    """Trains a model from labels, or from a teacher too.

    Args:
        task: `Task`.
        model: an untrained Keras model.
        seed: int, of shuffling and augmentation.
        rate: float, where Adam's cosine begins.
        teacher: None, a model, a list of models or `SoftTargets`.
        **options: `split` (the training part), `labels` (False leaves them out),
            `epochs`, `augment`, `optimizer`, `loss` (in place of cross-entropy),
            `callbacks`, `distiller` (in place of `keras_kd.Distiller`, compiled with
            cross-entropy), and what the distiller takes.

    Returns:
        The model, trained.
    """
    split = options.pop("split", task.data.train)
    epochs = options.pop("epochs", task.epochs)
    feed = {
        "batch_size": task.batch_size,
        "shuffle_seed": seed,
        "augment": options.pop("augment", task.augment),
    }
    labels = options.pop("labels", True)
    steps = epochs * task.steps_per_epoch
    optimizer = options.pop("optimizer", None) or keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(rate, steps)
    )
    loss = options.pop("loss", None)
    callbacks = options.pop("callbacks", None)
    distiller = options.pop("distiller", keras_kd.Distiller)
    keras.utils.set_random_seed(seed)
    trained = model if teacher is None else distiller(teacher, model, **options)
    if loss is None and not isinstance(trained, keras_kd.Distiller):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(optimizer, loss)
    is_stored = isinstance(teacher, SoftTargets)
    batches = (
        teacher.attach(split, **feed)
        if is_stored
        else split.batches(**feed, labels=labels)
    )
    trained.fit(
        batches.repeat(),
        epochs=epochs,
        steps_per_epoch=task.steps_per_epoch,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )
    return model


def second_distiller(teacher, student, *, alpha):
    """What `keras_kd.Distiller` is at temperature 4, by `keras.distillation`.

    Args:
        teacher: a Keras model.
        student: a Keras model.
        alpha: float, the weight of the labels.
    """
    return keras.distillation.Distiller(
        teacher,
        student,
        keras.distillation.LogitsDistillation(4.0, loss=keras.losses.KLDivergence()),
        student_loss_weight=alpha,
    )


def logits(model, split):
    """What a model says of a `Split`, `(examples, num_classes)`."""
    # Eagerly: tracing `predict` anew for every model takes longer than a small one.
    batches = np.array_split(split.arrays()[0], max(1, len(split) // 256))
    return np.concatenate([model(batch, training=False).numpy() for batch in batches])


def accuracy(model, split):
    """The share of examples that a model is right on, a float in [0, 1]."""
    return float(np.mean(logits(model, split).argmax(-1) == split.arrays()[1]))


def scores(task, model):
    """Accuracies on the parts that were not trained on."""
    return {
        "validation": accuracy(model, task.data.validation),
        "test": accuracy(model, task.data.test),
    }


def subset(split, rows, labels=None):
    """A `Split` of some examples, perhaps with other labels.

    Args:
        split: `Split`.
        rows: int `(k,)`, which examples.
        labels: int `(k,)`, in place of theirs; or None.
    """
    x, y = split.arrays()
    ids = np.array(split.ids())[rows]
    given = y[rows] if labels is None else np.asarray(labels, y.dtype)
    examples = {"id": ids, "x": x[rows], "y": given}
    return Split(tf.data.Dataset.from_tensor_slices(examples), len(rows))


def some_of_each_class(split, share, seed):
    """Rows of a share of each class, at least one, drawn at random."""
    labels = split.arrays()[1]
    generator = np.random.default_rng(seed)
    rows = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        count = max(1, round(share * len(places)))
        rows.append(generator.choice(places, count, replace=False))
    return np.sort(np.concatenate(rows))

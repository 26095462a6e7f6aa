"""The runs of `student_sizes.py`: one teacher, students of three sizes."""

import json
import math
from dataclasses import dataclass

import keras
import numpy as np
from _training import classes_of, falling_adam, kept

import keras_kd
from keras_kd import students
from keras_kd._files import write_json
from keras_kd.data import random_crop, random_flip
from keras_kd.teachers import label

BATCH_SIZE = 64
DIVISOR = 2
ASSISTANT = "1/4"


@dataclass(frozen=True)
class Setting:
    """How a kind of data is learned.

    Attributes:
        teacher_width: int, of the teacher, a `students.residual_net`.
        widths: dict of a size, such as "1/4", to `width` of `students.shrink`.
        augment: for `Split.batches`, or None.
        teacher_epochs: int.
        epochs: int, of every student.
        learning_rate: float, where the cosine begins.
    """

    teacher_width: int
    widths: dict
    augment: tuple | None
    teacher_epochs: int
    epochs: int
    learning_rate: float = 3e-3


RECIPES = ("scratch", "distilled", "distilled_from_teacher_weights")


def setting_of(data):
    """The `Setting` for a `DataSet`."""
    widths = {"1/4": 0.5, "1/10": 0.3125, "1/30": 0.1875}
    if data.name == "digits":
        return Setting(16, {"1/4": 0.5, "1/10": 0.25}, None, 20, 20)
    return Setting(32, widths, (random_crop(4), random_flip), 24, 15)


def plan(setting):
    """All students of a seed: pairs of size and recipe."""
    pairs = [(size, recipe) for recipe in RECIPES for size in setting.widths]
    smaller = [size for size in setting.widths if size != ASSISTANT]
    return pairs + [(size, "distilled_through_assistant") for size in smaller]


class Runs:
    """What is trained for one data set; what is done stays done.

    Args:
        data: `DataSet`.
        folder: `Path` for models and results.
    """

    def __init__(self, data, folder):
        self.data, self.folder, self.setting = data, folder, setting_of(data)
        folder.mkdir(parents=True, exist_ok=True)
        self.teacher = kept(folder / "teacher.keras", self._trained_teacher)
        # A view for each epoch: the teacher sees the crops that the students see.
        self.soft_targets = label(
            self.teacher,
            data.train,
            folder / "soft_targets",
            views=self.setting.epochs if self.setting.augment else 1,
            augment=self.setting.augment,
        )

    def score(self, size, recipe, seed, part_name):
        """The accuracy of one student on a part, as a fraction."""
        place = self.folder / size.replace("/", "_of_") / recipe
        path = place / f"seed_{seed}_{part_name}.json"
        if not path.exists():
            student = self.student(size, recipe, seed)
            part = getattr(self.data, part_name)
            write_json(path, {"accuracy": accuracy(student, part)})
        return json.loads(path.read_text(encoding="utf-8"))["accuracy"]

    def params(self, size):
        """How many weights the student of a size has."""
        return self._shrunk(size, "random").count_params()

    def student(self, size, recipe, seed):
        """The trained student of a size, recipe and seed."""
        place = self.folder / size.replace("/", "_of_") / recipe
        return kept(
            place / f"seed_{seed}.keras", lambda: self._trained(size, recipe, seed)
        )

    def _trained(self, size, recipe, seed):
        keras.utils.set_random_seed(seed)
        copies = recipe == "distilled_from_teacher_weights"
        student = self._shrunk(size, "teacher" if copies else "random")
        if recipe == "scratch":
            return self._from_labels(student, self.setting.epochs, seed)
        if recipe == "distilled_through_assistant":
            return self._from_assistant(student, seed)
        distiller = keras_kd.Distiller(self.soft_targets, student)
        batches = self.soft_targets.attach(
            self.data.train,
            batch_size=BATCH_SIZE,
            shuffle_seed=seed,
            augment=self.setting.augment,
        )
        self._fit(distiller, batches)
        return student

    def _shrunk(self, size, init):
        inputs = self.data.train.arrays()[0][:512] if init == "teacher" else None
        return students.shrink(
            self.teacher,
            width=self.setting.widths[size],
            divisor=DIVISOR,
            init=init,
            data=inputs,
        )

    def _from_assistant(self, student, seed):
        assistant = self.student(ASSISTANT, "distilled", seed)
        self._fit(keras_kd.Distiller(assistant, student), self._batches(seed))
        return student

    def _fit(self, distiller, batches):
        epochs = self.setting.epochs
        distiller.compile(self._adam(epochs))
        steps = math.ceil(len(self.data.train) / BATCH_SIZE)
        distiller.fit(
            batches.repeat(),
            epochs=epochs,
            steps_per_epoch=steps,
            verbose=0,
            shuffle=False,
        )

    def _trained_teacher(self):
        keras.utils.set_random_seed(0)
        teacher = students.residual_net(
            self.data.input_shape,
            self.data.num_classes,
            width=self.setting.teacher_width,
            name="teacher",
        )
        return self._from_labels(teacher, self.setting.teacher_epochs, 0)

    def _from_labels(self, model, epochs, seed):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(self._adam(epochs), loss)
        model.fit(self._batches(seed), epochs=epochs, verbose=0, shuffle=False)
        return model

    def _adam(self, epochs):
        rate = self.setting.learning_rate
        return falling_adam(rate, epochs, self.data, batch_size=BATCH_SIZE)

    def _batches(self, seed):
        augment = self.setting.augment
        return self.data.train.batches(BATCH_SIZE, shuffle_seed=seed, augment=augment)


def accuracy(model, part):
    """The share of examples whose class a model chooses, as a fraction."""
    return round(float(np.mean(classes_of(model, part) == part.arrays()[1])), 5)

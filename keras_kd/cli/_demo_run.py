"""The demo's work: one teacher, four students, five files."""

import keras
import numpy as np
import tensorflow as tf

import keras_kd
from keras_kd._files import written_whole
from keras_kd.benchmark import measure
from keras_kd.cli import _results
from keras_kd.cli._training import cosine_adam, train, write_curves
from keras_kd.data import Split, random_crop
from keras_kd.export import PRECISIONS, convert
from keras_kd.students import convnet

BATCH_SIZE = 32
EPOCHS = 40
TEACHER_LEARNING_RATE = 0.003
LEARNING_RATE = 0.01
TEACHER_WIDTH = 32
STUDENT_WIDTH = 8
LABELS_PER_CLASS = 5


class DemoRun:
    """Trains, exports and measures; every student gets the same number of steps.

    Args:
        folder: `Path` for models and files.
        seed: int; the students of one run start from the same weights.
        bar: `rich.progress.Progress`.
    """

    def __init__(self, folder, *, seed, bar):
        self.folder = folder
        self.seed = seed
        self.bar = bar
        self.data = keras_kd.data.load("digits")
        self.test = self.data.test.arrays()
        self.few = _few_labelled(self.data.train, LABELS_PER_CLASS, seed)
        self.few_labels = len(self.few)
        self.steps = -(-len(self.data.train) // BATCH_SIZE)

    def train(self):
        """The Keras models, trained, saved and scored: a list of rows."""
        every, few = len(self.data.train), self.few_labels
        plan = (
            ("scratch", self.data.train, every),
            ("distilled", None, every),
            ("scratch", self.few, few),
            ("distilled", None, few),
        )
        keras.utils.set_random_seed(self.seed)
        self.teacher = convnet(
            self.data.input_shape, self.data.num_classes, width=TEACHER_WIDTH
        )
        self._fit_plain(self.teacher, self.data.train, "teacher", TEACHER_LEARNING_RATE)
        rows = [self._row("teacher", "teacher", self.teacher, every)]
        for kind, labelled, labels in plan:
            name = kind if labels == every else f"{kind}, {labels} labels"
            student = self._new_student()
            if kind == "scratch":
                self._fit_plain(student, labelled, name, LEARNING_RATE)
            else:
                self._fit_distilled(student, name, alpha=0.1 if labels == every else 0)
            rows.append(self._row(name, kind, student, labels))
            if name == "distilled":
                self.student = student
        return rows

    def export(self):
        """The student in every precision and the teacher as float32: a list of rows."""
        plan = [("teacher", self.teacher, "float32")]
        plan += [("student", self.student, precision) for precision in PRECISIONS]
        task = self.bar.add_task("Files", total=len(plan), note="")
        rows = []
        for name, model, precision in plan:
            self.bar.update(task, note=f"{name}, {precision}")
            path = self.folder / f"{name}-{precision}.tflite"
            manifest = convert(
                model,
                path,
                precision=precision,
                calibration_data=self.data.train,
                labels=self.data.class_names,
            )
            rows.append(
                _results.tflite_row(
                    f"{name}, {precision}",
                    manifest,
                    path,
                    model,
                    self.teacher,
                    *self.test,
                    labels=len(self.data.train),
                    latency=measure(path),
                )
            )
            self.bar.update(task, advance=1, note="")
        return rows

    def _new_student(self):
        # The same seed each time: the students differ in nothing but their training.
        keras.utils.set_random_seed(self.seed)
        return convnet(
            self.data.input_shape, self.data.num_classes, width=STUDENT_WIDTH
        )

    def _fit_plain(self, model, labelled, title, learning_rate):
        model.compile(
            cosine_adam(learning_rate, EPOCHS * self.steps),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        self._fit(model, labelled, title, labels=True)

    def _fit_distilled(self, student, title, *, alpha):
        distiller = keras_kd.Distiller(
            self.teacher, student, alpha=alpha, temperature=4.0
        )
        distiller.compile(
            cosine_adam(LEARNING_RATE, EPOCHS * self.steps), metrics=["accuracy"]
        )
        # With alpha 0 the images are a transfer set: their labels are left out.
        self._fit(distiller, self.data.train, title, labels=alpha > 0)

    def _fit(self, model, split, title, *, labels):
        batches = split.batches(
            BATCH_SIZE, shuffle_seed=self.seed, augment=random_crop(1), labels=labels
        )
        epochs = train(
            model,
            batches.repeat(),
            self.data.validation.batches(256),
            epochs=EPOCHS,
            steps_per_epoch=self.steps,
            bar=self.bar,
            title=title.capitalize(),
        )
        write_curves(self.folder / f"{_file_name(title)}.csv", epochs)

    def _row(self, name, kind, model, labels):
        with written_whole(self.folder / f"{_file_name(name)}.keras") as (path,):
            model.save(path)
        return _results.keras_row(
            name, kind, model, self.teacher, *self.test, labels=labels
        )


def _file_name(name):
    return name.replace(",", "").replace(" ", "_")


def _few_labelled(split, per_class, seed):
    """A `Split` of so many examples a class, drawn at random."""
    x, y = split.arrays()
    generator = np.random.default_rng(seed)
    rows = np.concatenate(
        [
            generator.choice(np.flatnonzero(y == label), per_class, replace=False)
            for label in np.unique(y)
        ]
    )
    ids = np.array(split.ids())[rows]
    examples = {"id": ids, "x": x[rows], "y": y[rows]}
    return Split(tf.data.Dataset.from_tensor_slices(examples), len(rows))

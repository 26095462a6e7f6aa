"""The trainings of `every_loss.py`: the data, the teachers, one run after another."""

import functools
import hashlib
import json
import math
import time

import keras
import numpy as np
import tensorflow as tf
from _every_loss_recipes import Setting, network

import keras_kd
from keras_kd._files import written_whole
from keras_kd.data import Split, random_crop

TEACHER = {"width": 24, "depth": 2}
STUDENT = {"width": 8, "depth": 1}
MOST_KEPT_BYTES = 64 * 2**20


class Factor(keras.optimizers.schedules.LearningRateSchedule):
    """A loss's weight that can be changed without tracing the training step again.

    Args:
        published_weight: float.
        factor: `tf.Variable`, scalar.
    """

    def __init__(self, published_weight, factor):
        self.published_weight = published_weight
        self.factor = factor

    def __call__(self, step):
        """The weight, at every step the same."""
        return self.published_weight * self.factor


class Task:
    """The data, the teachers, and what a run needs of them.

    Args:
        set_up: dict, see `every_loss.set_up_of`.
        folder: `Path`, where trained teachers are kept.
    """

    def __init__(self, set_up, folder):
        self.set_up = set_up
        self.folder = folder
        size = set_up["image_size"]
        self.data = keras_kd.data.load(
            set_up["data"], image_size=None if size is None else (size, size)
        )
        self._augment = random_crop(max(1, self.data.input_shape[0] // 8))
        self._parts = {
            part: getattr(self.data, part).arrays() for part in ("validation", "test")
        }
        self._settings = {}
        self._kept = {}

    def network(self, name, size):
        """An untrained network for this data."""
        data = self.data
        return network(data.input_shape, data.num_classes, **size, name=name)

    def setting(self, *, is_sigmoid):
        """The `Setting` with the teacher for one class an image, or for several."""
        if is_sigmoid not in self._settings:
            train = self.data.train.batches(self.set_up["batch_size"], labels=False)
            self._settings[is_sigmoid] = Setting(
                teacher=self._teacher(is_sigmoid),
                teacher_batches=list(train),
                steps=self.set_up["steps"],
                num_examples=self.set_up["labels_per_class"] * self.data.num_classes,
            )
        return self._settings[is_sigmoid]

    def batches(self, recipe, seed):
        """What a recipe learns from: labelled, augmented batches of one training."""
        key = recipe.all_labels, recipe.is_sigmoid, recipe.needs_ids, seed
        if key not in self._kept:
            split = self.data.train if recipe.all_labels else self._few_labelled(seed)
            self._kept[key] = self._batches(
                split, recipe.is_sigmoid, seed, ids=recipe.needs_ids
            )
        return self._kept[key]

    def compile(self, model, steps, *, is_sigmoid):
        """Compiles a student, teacher or distiller in the same way."""
        loss = None
        if not isinstance(model, keras_kd.Distiller):
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            if is_sigmoid:
                loss = keras.losses.BinaryCrossentropy(from_logits=True)
        schedule = keras.optimizers.schedules.CosineDecay(
            self.set_up["learning_rate"], steps
        )
        model.compile(
            keras.optimizers.Adam(schedule),
            loss,
            steps_per_execution=math.gcd(steps, 50),
            jit_compile=False,  # compiling takes longer than the training
        )
        model.optimizer.build(model.trainable_variables)

    def accuracy(self, model, part):
        """The fraction of a part, "validation" or "test", that a model gets right."""
        x, y = self._parts[part]
        scores = [
            keras.ops.convert_to_numpy(model(x[start : start + 500], training=False))
            for start in range(0, len(x), 500)
        ]
        return round(float((np.concatenate(scores).argmax(axis=-1) == y).mean()), 6)

    def _teacher(self, is_sigmoid):
        key = hashlib.sha256(json.dumps(self.set_up).encode()).hexdigest()[:12]
        path = self.folder / f"{key}-{'sigmoid' if is_sigmoid else 'softmax'}.keras"
        if not path.exists():
            teacher, steps = self._new_teacher(), self.set_up["teacher_steps"]
            self.compile(teacher, steps, is_sigmoid=is_sigmoid)
            batches = self._batches(self.data.train, is_sigmoid, seed=0, steps=steps)
            fit(teacher, batches, steps)
            self.folder.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as (temporary,):
                teacher.save(temporary)
        return keras.models.load_model(path)

    def _new_teacher(self):
        keras.utils.set_random_seed(0)
        return self.network("teacher", TEACHER)

    def _batches(self, split, is_sigmoid, seed, *, steps=None, ids=False):
        steps = steps or self.set_up["steps"]
        keras.utils.set_random_seed(seed)
        batches = split.batches(
            self.set_up["batch_size"],
            shuffle_seed=seed,
            augment=self._augment,
            ids=ids,
        )
        if is_sigmoid:
            count = self.data.num_classes
            batches = batches.map(lambda x, y: (x, tf.one_hot(y, count)))
        batches = batches.repeat().take(steps)
        example_bytes = 4 * math.prod(self.data.input_shape)
        if steps * self.set_up["batch_size"] * example_bytes <= MOST_KEPT_BYTES:
            # Making a batch takes as long as learning from it.
            batches = batches.cache()
            for _ in batches:
                pass
        return batches

    def _few_labelled(self, seed):
        """A `Split` of so many examples a class, drawn at random."""
        x, y = self._train_arrays
        generator = np.random.default_rng(seed)
        per_class = self.set_up["labels_per_class"]
        rows = np.concatenate(
            [
                generator.choice(np.flatnonzero(y == label), per_class, replace=False)
                for label in np.unique(y)
            ]
        )
        examples = {"id": rows.astype(str), "x": x[rows], "y": y[rows]}
        return Split(tf.data.Dataset.from_tensor_slices(examples), len(rows))

    @functools.cached_property
    def _train_arrays(self):
        return self.data.train.arrays()


class Contestant:
    """One compiled model for all runs of a recipe, so that it is traced only once.

    Each run starts from the variables, the optimizer's too, of a model made anew from
    its seed: it equals a run in a program of its own.

    Args:
        task: the `Task`.
        recipe: the `Recipe`.
    """

    def __init__(self, task, recipe):
        self.task = task
        self.recipe = recipe
        self.factor = tf.Variable(1.0)
        self.model, self.student = self._new(seed=0)
        self._starts = {}
        self._is_traced = False

    def run(self, factor, seed, parts):
        """One training.

        Args:
            factor: float, of the published weights.
            seed: int, of images and starting weights.
            parts: names of the parts to measure the accuracy on.

        Returns:
            Dict of the result file's columns.
        """
        steps = self.task.set_up["steps"]
        self._start_from(seed)
        self.factor.assign(factor)
        seconds = fit(self.model, self.task.batches(self.recipe, seed), steps)
        model = self.predictor()
        scores = {part: self.task.accuracy(model, part) for part in parts}
        was_traced, self._is_traced = self._is_traced, True
        return {
            "seed": seed,
            "validation_accuracy": scores.get("validation"),
            "test_accuracy": scores.get("test"),
            "cpu_ms_per_step": round(1e3 * seconds / steps, 3) if was_traced else None,
            "diverged": not all(
                np.isfinite(weight).all() for weight in self.student.get_weights()
            ),
        }

    def predictor(self):
        """What predicts: the student, or what SimKD makes of it."""
        if not self.recipe.reuses_classifier:
            return self.student
        (loss,) = self.model.objective.losses
        (layer,) = loss.student_layers
        body = keras.Model(self.student.input, self.student.get_layer(layer).output)
        head = self.model.teacher.model.get_layer("head")
        return keras.Sequential([body, *loss.projectors, head])

    def _new(self, seed):
        """A compiled model, and the student in it."""
        recipe, task = self.recipe, self.task
        setting = task.setting(is_sigmoid=recipe.is_sigmoid)
        # The student first: it starts the same whatever the loss.
        keras.utils.set_random_seed(seed)
        model = student = task.network("student", STUDENT)
        if recipe.losses is not None:
            losses = recipe.losses(setting)
            weights = [Factor(loss.published_weight, self.factor) for loss in losses]
            model = keras_kd.Distiller(
                setting.teacher, student, losses, weights, alpha=recipe.alpha
            )
        task.compile(model, setting.steps, is_sigmoid=recipe.is_sigmoid)
        return model, student

    def _start_from(self, seed):
        if seed not in self._starts:
            fresh, _ = self._new(seed)
            self._starts[seed] = [variable.numpy() for variable in _state(fresh)]
        for variable, start in zip(_state(self.model), self._starts[seed], strict=True):
            variable.assign(start)


def _state(model):
    """All that training changes."""
    return [*model.variables, *model.optimizer.variables]


def fit(model, batches, steps):
    """Trains a compiled model for so many steps; returns the seconds of processor."""
    start = time.process_time()
    model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    return time.process_time() - start

"""`keras-kd distill --student auto`: from a teacher and limits to a file."""

import dataclasses
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from rich.markup import escape

from keras_kd import budget
from keras_kd._checks import (
    ConversionError,
    DeviceError,
    InvalidInputError,
    check_choice,
)
from keras_kd._files import written_whole
from keras_kd.benchmark import measure
from keras_kd.benchmark.targets import TARGETS, target_module
from keras_kd.cli import _results, _story
from keras_kd.cli._console import console
from keras_kd.cli._deployability import check_or_stop
from keras_kd.cli._distilling import distil
from keras_kd.cli._training import write_curves
from keras_kd.cli.shrink import some_inputs
from keras_kd.export import LiteRtModel, convert, decide, quantization_aware
from keras_kd.outputs import check_inputs, find_head

WORTH_TRAINING = 0.01
"""What a file may lose on validation before the student is trained for its integers."""
_RUNS_AS = {
    "browser": "browser",
    "microcontroller": "microcontroller",
    "cortex-m4": "microcontroller",
}
_WITHOUT_TIMES = ("mobile", "microcontroller", "cortex-m4", "aarch64")
_TRAINED_BITS = {"int8": 8, "int4_weights": 4}


@dataclass(frozen=True)
class _File:
    """A .tflite file of the student, as good as it is on validation."""

    model: keras.Model
    manifest: object
    accuracy: float


def places(target):
    """Where a student must run, and where it is timed.

    Args:
        target: see `AutomaticRun`.

    Returns:
        The target of `check_deployable` or None, and that of `benchmark.measure`.

    Raises:
        ValueError: There is no such target.
    """
    if target is None:
        return None, "host"
    name = target.partition(":")[0]
    check_choice("keras-kd distill", "--target", name, ("mobile", *TARGETS))
    if name != "mobile":
        target_module(target)
    timed_on = "host" if name in _WITHOUT_TIMES else target
    return _RUNS_AS.get(name, "mobile"), timed_on


class AutomaticRun:
    """Chooses a student, distils it, writes its file, and says what came of it.

    Args:
        teacher: a trained `keras.Model`.
        dataset: `DataSet`; every choice is made on its training and validation parts.
        limits: dict of the limits of `budget.within`.
        target: None, "mobile", or a target of `benchmark.measure`: where the student
            must run, and where it is timed, this machine where that has no times.
        making: dict of "precision", "divisor" and "depths", see `budget.within`.
        settings: dict, see `_distilling.distil`.
        folder: `Path` for the results.
    """

    def __init__(self, teacher, dataset, *, limits, target, making, settings, folder):
        self.teacher, self.dataset, self.folder = teacher, dataset, folder
        self.limits, self.making = limits, making
        self.target, self.timed_on = places(target)
        self.precision = making["precision"]
        self.settings = settings | {"limits": limits, "target": target, **making}
        self.path = folder / f"student-{self.precision}.tflite"

    def run(self):
        """All of it; what was done before an interruption is not done again."""
        check_inputs(
            "keras-kd distill", self.teacher, self.dataset.validation.arrays()[0]
        )
        console.print("If this is interrupted, the same command goes on where it was.")
        _story.warn_of_poor_teacher(
            _accuracy(self._predict(self.teacher), self.teacher, self.dataset),
            self.dataset.num_classes,
        )
        keras.utils.set_random_seed(self.settings["seed"])
        found = self._choose()
        student = found.student
        done = [self._distil(student, self.settings, "checkpoint", "Distilling")]
        file = self._written(student, self.path)
        trained, checkpoints = self._trained_for_integers(student, file)
        if trained is not None:
            file = self._written(trained, self.path)
        checkpoints = done + checkpoints
        self._save(student, trained, checkpoints)
        self._report(found, student, file, is_trained=trained is not None)
        for checkpoint in checkpoints:
            checkpoint.remove()

    def _choose(self):
        """The largest student within the limits, which runs on its target."""
        found = budget.within(
            self.teacher,
            **self.limits,
            **self.making,
            target=self.timed_on,
            init="teacher",
            data=some_inputs(self.dataset.train),
            export_options=self._export_options(),
            progress=True,
            name="student",
        )
        _story.show_choice(found, self.teacher)
        if self.target is not None:
            check_or_stop(found.student, self.target, None)
            console.print(f"It runs on the target {self.target}.")
        return found

    def _distil(self, student, settings, folder, title):
        return distil(
            self.teacher,
            student,
            self.dataset,
            settings,
            self.folder / folder,
            title=title,
        )

    def _trained_for_integers(self, student, file):
        """A better model for the file, or None; and the checkpoints of its training."""
        accuracy = _accuracy(self._predict(student), student, self.dataset)
        lost, bits = accuracy - file.accuracy, _TRAINED_BITS.get(self.precision)
        if bits is None or lost <= WORTH_TRAINING:
            return None, []
        console.print(
            f"As {self.precision} the student loses {100 * lost:.1f} points on the "
            "validation part, so it is trained for its integers."
        )
        aware = quantization_aware(student, weights_bits=bits)
        settings = self.settings | {
            "epochs": max(1, self.settings["epochs"] // 3),
            "learning_rate": self.settings["learning_rate"] / 3,
        }
        checkpoint = self._distil(
            aware, settings, "checkpoint-integers", "For integers"
        )
        with tempfile.TemporaryDirectory() as folder:
            other = self._written(aware, Path(folder) / self.path.name)
        most = self.limits.get("max_size_bytes") or math.inf
        is_better = other.accuracy > file.accuracy
        fits = other.manifest.size_bytes <= most
        return aware if is_better and fits else None, [checkpoint]

    def _written(self, model, path):
        manifest = convert(
            model,
            path,
            precision=self.precision,
            calibration_data=self.dataset.train,
            **self._export_options(),
        )
        score = _accuracy(LiteRtModel(path), model, self.dataset)
        return _File(model, manifest, score)

    def _export_options(self):
        return {
            "labels": self.dataset.class_names,
            "float_io": self.target == "browser" and self.precision != "float32",
        }

    def _save(self, student, trained, checkpoints):
        """The Keras models and their learning curves, under their final names."""
        models = [(student, self.folder / "student.keras")]
        if trained is not None:
            models.append((trained, self.path.with_suffix(".keras")))
        for (model, final), checkpoint in zip(models, checkpoints, strict=False):
            with written_whole(final) as (path,):
                model.save(path)
            write_curves(final.with_suffix(".csv"), checkpoint.history)

    def _report(self, found, student, file, *, is_trained):
        """Measures on the test part, writes the numbers and tells the story."""
        x, y = self.dataset.test.arrays()
        labels = len(self.dataset.train) if self.settings["alpha"] > 0 else 0
        rows = [
            _results.keras_row(name, kind, model, self.teacher, x, y, labels=number)
            for name, kind, model, number in (
                ("teacher", "teacher", self.teacher, 0),
                ("student", "distilled", student, labels),
            )
        ]
        # Of a float32 file: a Keras model has no latency of its own.
        rows[0] = dataclasses.replace(rows[0], latency_ms=self._teacher_ms())
        row = _results.tflite_row(
            self.path.name,
            file.manifest,
            self.path,
            file.model,
            self.teacher,
            x,
            y,
            labels=labels,
            latency=self._latency(self.path),
        )
        _results.write(
            self.folder / "results.json",
            [*rows, row],
            seed=self.settings["seed"],
            settings=self.settings,
            tried=[dataclasses.asdict(one) for one in found.tried],
            trained_for_integers=is_trained,
        )
        with written_whole(self.folder / "budget.png") as (path,):
            found.plot().savefig(path, dpi=150, format="png")
        _story.tell(rows[0], row, found, folder=self.folder, data=self.dataset)

    def _teacher_ms(self):
        """The times of a float32 file of the teacher; None if it has none."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "teacher.tflite")
            try:
                convert(self.teacher, path, precision="float32")
            except (ConversionError, InvalidInputError):
                return None
            latency = self._latency(path)
        return latency and {"p50": latency.p50_ms, "p90": latency.p90_ms}

    def _latency(self, path):
        """The `Measurement` of a file; None, and a note, if the device is gone."""
        try:
            return measure(path, target=self.timed_on)
        except DeviceError as error:
            console.print(f"[bold yellow]Note[/] Not timed: {escape(str(error))}")
            return None

    @staticmethod
    def _predict(model):
        return lambda x: model.predict(x, verbose=0)


def _accuracy(predict, model, dataset):
    """The share of the validation part that a model or its file is right on."""
    x, y = dataset.validation.arrays()
    return float(np.mean(decide(predict(x), find_head(model).activation) == y))

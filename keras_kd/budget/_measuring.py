"""What a student costs, by really converting it."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_kd._checks import invalid
from keras_kd._keras_internals import all_layers
from keras_kd.benchmark import measure
from keras_kd.benchmark.host import describe_machine
from keras_kd.budget._records import digest, model_digest
from keras_kd.budget.candidate import Candidate
from keras_kd.budget.limits import WHERE
from keras_kd.export import convert, inspect
from keras_kd.export.manifest import versions
from keras_kd.students import shrink

_FORMAT = 1
# So near to its limit a latency is measured again.
_NEAR = 0.15
_TIMES = 3


@dataclass(frozen=True)
class Conditions:
    """How files are made and timed.

    Attributes:
        precision: str, see `convert`.
        options: dict, of `convert`.
        examples: array `(n, ...)`, for calibration.
        target: str, see `measure`.
        threads: int, see there.
    """

    precision: str
    options: dict
    examples: Any
    target: str
    threads: int


class Measuring:
    """Measures each student of a teacher once.

    Attributes:
        tried: list of `Candidate`, in the order of measuring.

    Args:
        teacher: see `within`.
        limits: `Limits`.
        conditions: `Conditions`.
        divisor: int.
        name: str, of the students; it is in the file.
        records: `Records`.
    """

    def __init__(self, teacher, limits, conditions, *, divisor, name, records):
        self.tried = []
        self._teacher = teacher
        self._limits = limits
        self._conditions = conditions
        self._divisor = divisor
        self._name = name
        self._records = records
        self._known = {}
        self._facts = self._all_but_the_student()

    def __call__(self, architecture):
        """The `Candidate` of an `Architecture`."""
        if architecture not in self._known:
            self._known[architecture] = self._candidate(architecture)
            self.tried.append(self._known[architecture])
        return self._known[architecture]

    def _candidate(self, architecture):
        key = digest([self._facts, architecture.depth, architecture.shapes])
        costs = self._records.read(key)
        if costs is None or self._is_uncertain(costs["latencies_ms"]):
            costs = self._measured(architecture)
            self._records.write(key, costs)
        times_ms = costs["latencies_ms"]
        costs = {name: cost for name, cost in costs.items() if name != "latencies_ms"}
        costs["latency_ms"] = statistics.median(times_ms) if times_ms else None
        return Candidate(
            width=architecture.width,
            depth=architecture.depth,
            divisor=self._divisor,
            over=self._limits.broken_by(costs),
            **costs,
        )

    def _measured(self, architecture):
        student = shrink(
            self._teacher,
            width=architecture.width,
            depth=architecture.depth,
            divisor=self._divisor,
            name=self._name,
        )
        make_distinct(student)
        with tempfile.TemporaryDirectory(prefix="keras-kd-") as folder:
            path = Path(folder, "student.tflite")
            convert(
                student,
                path,
                precision=self._conditions.precision,
                calibration_data=self._conditions.examples,
                **self._conditions.options,
            )
            found = inspect(path)
            times_ms = self._latencies_ms(path)
        return {
            "params": student.count_params(),
            "size_bytes": found.size_bytes,
            "macs": found.macs,
            "arena_bytes": found.micro_arena_bytes,
            "latencies_ms": times_ms,
        }

    def _latencies_ms(self, path):
        """Medians of one or some measurements; none if they do not matter."""
        times_ms = []
        while self._is_uncertain(times_ms):
            latency = measure(
                path, target=self._conditions.target, threads=self._conditions.threads
            )
            if latency.p50_ms is None:
                raise invalid(
                    WHERE,
                    "`target` that has times for `max_latency_ms`",
                    f'"{self._conditions.target}", {latency.measured_on}',
                    "Choose a device or the host, or leave the limit out.",
                )
            times_ms.append(latency.p50_ms)
        return times_ms

    def _is_uncertain(self, times_ms):
        most = self._limits.max_latency_ms
        if most is None or len(times_ms) >= _TIMES:
            return False
        return not times_ms or any(
            abs(time_ms - most) <= _NEAR * most for time_ms in times_ms
        )

    def _all_but_the_student(self):
        """What the costs depend on, besides the student's architecture."""
        conditions, timing = self._conditions, None
        if self._limits.max_latency_ms is not None:
            timing = [conditions.target, conditions.threads, describe_machine()]
        return digest(
            [
                _FORMAT,
                model_digest(self._teacher),
                self._name,
                conditions.precision,
                conditions.options,
                conditions.examples,
                versions(),
                timing,
            ]
        )


def make_distinct(student):
    """Gives a new student weights as after training: no two alike, scales above 0.

    The converter merges constants that are equal, such as the biases of a new student,
    so that its file would be smaller than after training. `Normalization` layers have
    the teacher's statistics, and keep them.

    Args:
        student: a `keras.Model`, which is changed.
    """
    generator = np.random.default_rng(0)
    statistics_ = {
        id(weight)
        for layer in all_layers(student)
        if isinstance(layer, keras.layers.Normalization)
        for weight in layer.weights
    }
    for weight in student.weights:
        value = keras.ops.convert_to_numpy(weight)
        if id(weight) in statistics_ or "float" not in str(weight.dtype):
            continue
        size = np.abs(value).mean() if value.size else 0
        noise = generator.uniform(-0.1, 0.1, value.shape)
        weight.assign(value + noise * (size or 1))

"""What the device does in one training step: time by operation, by whom it is for.

TensorFlow's profiler records every operation of some steps of `keras_kd.Distiller` with
soft targets and two features, after a warm-up. Operations are told apart by the names
under which they stand in the graph; sums of gradients (AddN) belong to the student. The
rest, with its largest operations, is what could be saved.

Run: python benchmarks/step_profile.py [--out benchmarks/results]
"""

import argparse
import collections
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from step_time import STEPS, TEMPERATURE, batches, distillation_losses, network
from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

import keras_kd
from keras_kd._files import write_json
from keras_kd.benchmark.host import describe_machine

OF_LOSSES = ("soft_target", "feature", "compile_loss")
PARTS = {
    "teacher": ("teacher/", "teacher_"),
    "student": ("student/", "student_", "gradient_tape/student", "AddN"),
    "losses": (*OF_LOSSES, *(f"gradient_tape/{name}" for name in OF_LOSSES)),
    "optimizer": ("adam/", "adam_"),
}
MOST_NAMED = 10


def step_operations():
    """Milliseconds a step by operation, `name:type` as in the graph."""
    distiller = keras_kd.Distiller(
        network(48, 3, "teacher"),
        network(16, 2, "student"),
        [
            keras_kd.losses.SoftTargetDistillation(TEMPERATURE),
            *distillation_losses(features=True)[1:],
        ],
    )
    distiller.compile("adam", metrics=["accuracy"])
    data = batches()
    distiller.fit(data, verbose=0, shuffle=False)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            distiller.fit(data, verbose=0, shuffle=False)
        (file,) = Path(folder).rglob("*.xplane.pb")
        recorded = XSpace.FromString(file.read_bytes())
    operations = collections.Counter()
    for plane in recorded.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            if is_operation(name):
                operations[name] += event.duration_ps / 1e9 / STEPS
    return operations


def is_operation(name):
    """Whether a recorded event is an operation of the graph, and no frame around it."""
    scope, _, kind = name.rpartition(":")
    return bool(scope) and kind.isidentifier() and "::" not in name


def part_of(name):
    """The part of a step that an operation is for."""
    for part, beginnings in PARTS.items():
        if name.startswith(beginnings):
            return part
    return "rest"


def summary(operations):
    """Milliseconds and shares of the parts, and the largest operations of the rest."""
    parts = dict.fromkeys([*PARTS, "rest"], 0.0)
    for name, ms in operations.items():
        parts[part_of(name)] += ms
    total = sum(parts.values())
    rest = [pair for pair in operations.most_common() if part_of(pair[0]) == "rest"]
    return {
        "ms": {part: round(ms, 3) for part, ms in parts.items()},
        "percent": {part: round(100 * ms / total, 2) for part, ms in parts.items()},
        "largest_of_the_rest_ms": {
            name: round(ms, 4) for name, ms in rest[:MOST_NAMED]
        },
    }


def main():
    """Records, prints and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    result = {**summary(step_operations()), "machine": describe_machine()}
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "step_profile.json"
    write_json(path, result)
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

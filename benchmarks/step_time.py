"""Epoch time of our Distiller beside `keras.distillation.Distiller` and the bare work.

One process, the contestants in turn, medians of several repeats after warm-up:

- ours:     keras_kd.Distiller
- keras:    keras.distillation.Distiller with the same models, losses and temperature
- student:  the plain student's `fit`
- teacher:  the teacher's forward pass over the same batches

once with soft targets only, once with two named feature losses besides. What cannot be
avoided is student + teacher.

Run: python benchmarks/step_time.py [--repeats 15] [--out benchmarks/results]
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd.benchmark.host import describe_machine

BATCH_SIZE = 64
STEPS = 12
TEMPERATURE = 4.0
ALPHA = 0.1


def network(width, depth, name):
    """A small image network whose layers "tap_1" and "tap_2" have fixed shapes."""
    inputs = keras.Input((32, 32, 3))
    x = inputs
    for stage, channels in ((1, 16), (2, 32)):
        for _ in range(depth):
            x = layers.Conv2D(width * stage, 3, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization()(x)
            x = layers.ReLU()(x)
        x = layers.Conv2D(channels, 1, name=f"tap_{stage}")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10)(x), name=name)


def batches():
    """The same random images for everybody, held in memory, no autotuner."""
    generator = np.random.default_rng(0)
    x = generator.random((BATCH_SIZE * STEPS, 32, 32, 3), dtype="float32")
    y = generator.integers(0, 10, len(x))
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH_SIZE)
    return dataset.with_options(options)


def distillation_losses(features):
    """Losses of `keras.distillation`, which both distillers take."""
    kl = keras.losses.KLDivergence()
    losses = [keras.distillation.LogitsDistillation(TEMPERATURE, loss=kl)]
    for tap in ("tap_1", "tap_2") if features else ():
        losses.append(keras.distillation.FeatureDistillation("mse", tap, tap))
    return losses


def contestants(features):
    """Functions that run one epoch each, by name."""
    data = batches()
    teacher = network(48, 3, "teacher")
    hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def compiled(model, **kwargs):
        model.compile("adam", metrics=["accuracy"], **kwargs)
        return lambda: model.fit(data, verbose=0, shuffle=False)

    soft = keras_kd.losses.SoftTargetDistillation(TEMPERATURE)
    ours = keras_kd.Distiller(
        teacher,
        network(16, 2, "ours"),
        [soft, *distillation_losses(features)[1:]],
        alpha=ALPHA,
    )
    theirs = keras.distillation.Distiller(
        keras.models.clone_model(teacher),
        network(16, 2, "theirs"),
        distillation_losses(features),
        student_loss_weight=ALPHA,
    )
    forward = tf.function(lambda x: teacher(x, training=False))

    def teacher_epoch():
        for x, _ in data:
            forward(x)

    return {
        "ours": compiled(ours),
        "keras": compiled(theirs, loss=hard),
        "student": compiled(network(16, 2, "plain"), loss=hard),
        "teacher": teacher_epoch,
    }


def measure(epochs, repeats, warmup):
    """Seconds of every repeat by name, run in turn."""
    seconds = {name: [] for name in epochs}
    for repeat in range(warmup + repeats):
        for name, epoch in epochs.items():
            start = time.perf_counter()
            epoch()
            if repeat >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def summary(seconds):
    """Milliseconds a step and the ratios, of medians and of minima."""
    result = {}
    for kind, pick in (("median", statistics.median), ("minimum", min)):
        ms = {name: 1e3 * pick(values) / STEPS for name, values in seconds.items()}
        result[kind] = {
            "ms_per_step": {name: round(value, 2) for name, value in ms.items()},
            "ours_to_keras": round(ms["ours"] / ms["keras"], 3),
            "ours_to_student_plus_teacher": round(
                ms["ours"] / (ms["student"] + ms["teacher"]), 3
            ),
        }
    return result


def main():
    """Measures, prints and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    results = {}
    for name, features in (("soft_targets", False), ("two_features", True)):
        keras.utils.set_random_seed(0)
        seconds = measure(contestants(features), options.repeats, options.warmup)
        results[name] = summary(seconds)
        print(name, json.dumps(results[name], indent=1))
    results["set_up"] = {
        "batch_size": BATCH_SIZE,
        "steps": STEPS,
        "repeats": options.repeats,
        "machine": describe_machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "step_time.json"
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"Written to {path}")


if __name__ == "__main__":
    main()

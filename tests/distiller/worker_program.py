"""One of several workers that train together: see test_several_workers.

Run: python worker_program.py FOLDER SCENARIO ..., with TF_CONFIG.
"""

import json
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd.distiller import MutualDistiller, worker_folder
from keras_kd.teachers import label
from tests.distiller.kill_self import KillSelf

SEED = 3
BATCH = 32
# The last batch has one example: one of two workers gets none.
EXAMPLES = 5 * BATCH + 1
EPOCHS = 3


def digits():
    x, y = keras_kd.data.load("digits").train.arrays()
    return x[:EXAMPLES], y[:EXAMPLES]


def classifier(units):
    hidden = layers.Dense(units, activation="relu", kernel_regularizer="l2")
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), hidden, layers.Dense(10)]
    )


def make_distiller(strategy, **options):
    """The same weights under every strategy."""
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        rate = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
        losses = keras_kd.losses.SoftTargetDistillation(temperature=2.0)
        teacher, student = classifier(32), classifier(8)
        distiller = keras_kd.Distiller(teacher, student, losses, alpha=rate)
        distiller.compile(keras.optimizers.Adam(0.01), metrics=["accuracy"], **options)
    return distiller


def fit(distiller, callbacks=(), epochs=EPOCHS, **options):
    """What was logged. The order is the same in every epoch, before a kill or after."""
    x, y = digits()
    return distiller.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=epochs,
        validation_data=(x[:50], y[:50]),
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
        **options,
    ).history


def trained(strategy, folder):
    """Everything that Keras does with a model: the numbers of each, by name."""
    x, y = digits()
    distiller = make_distiller(strategy)
    path = worker_folder(strategy, folder / "saved") / "best.weights.h5"
    found = fit(
        distiller, [keras.callbacks.ModelCheckpoint(path, save_weights_only=True)]
    )
    found |= {f"weight {n}": w for n, w in enumerate(distiller.get_weights())}
    found["saved"] = [path.exists(), path.is_relative_to(folder)]
    numbers = distiller.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True)
    found |= {f"evaluated {name}": value for name, value in numbers.items()}
    found["predicted"] = distiller.predict(x, batch_size=BATCH, verbose=0)
    for name in ("train_on_batch", "test_on_batch"):
        logs = getattr(distiller, name)(x[:BATCH], y[:BATCH], return_dict=True)
        found |= {f"{name} {key}": float(value) for key, value in logs.items()}
    found |= grouped(strategy) | mutual(strategy) | stored(strategy)
    return found


def grouped(strategy):
    """Several steps in one execution."""
    distiller = make_distiller(strategy, steps_per_execution=4)
    logs = fit(distiller, epochs=1)
    return {f"grouped {name}": values for name, values in logs.items()}


def mutual(strategy):
    """Students that learn together."""
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        distiller = MutualDistiller([classifier(8), classifier(16)])
        distiller.compile(keras.optimizers.Adam(0.01))
    logs = fit(distiller, epochs=1)
    return {f"mutual {name}": values for name, values in logs.items()}


def stored(strategy):
    """Stored answers to two views of each example, which every worker reads."""
    keras.utils.set_random_seed(SEED)
    examples = keras_kd.data.load("digits").train.examples.take(EXAMPLES)
    data, augment = (
        keras_kd.data.Split(examples, EXAMPLES),
        keras_kd.data.random_crop(1),
    )
    with tempfile.TemporaryDirectory() as folder:
        soft = label(classifier(32), data, folder, views=2, augment=augment)
        with strategy.scope():
            distiller = keras_kd.Distiller(soft, classifier(8), alpha=0.5)
            distiller.compile(keras.optimizers.Adam(0.01))
        batches = soft.attach(data, batch_size=BATCH, augment=augment)
        logs = distiller.fit(batches, epochs=2, verbose=0).history
    found = {f"stored {name}": values for name, values in logs.items()}
    return found | {"stored steps": int(distiller.optimizer.iterations.numpy())}


def keras_error(strategy):
    """What `keras.distillation.Distiller` says to the same."""
    with strategy.scope():
        distiller = keras.distillation.Distiller(
            classifier(32),
            classifier(8),
            distillation_losses=keras.distillation.LogitsDistillation(),
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        distiller.compile("adam", loss)
    return error_of(lambda: fit(distiller))


def other_teacher_error(strategy, number):
    """What is said where every worker brings a teacher of its own."""
    keras.utils.set_random_seed(number)
    teacher = classifier(32)
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        distiller = keras_kd.Distiller(teacher, classifier(8))
        distiller.compile("adam")
    return error_of(lambda: fit(distiller))


def no_seed_error(strategy):
    """What is said where the workers would shuffle each in its own order."""
    distiller = make_distiller(strategy)
    tf.random.set_seed(None)
    return error_of(lambda: fit(distiller))


def error_of(function):
    try:
        function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def equal(strategy, number, folder):
    np.savez(folder / f"{number}.npz", **trained(strategy, folder))
    errors = {
        "keras": keras_error(strategy),
        "teacher": other_teacher_error(strategy, number),
        "seed": no_seed_error(strategy),
    }
    (folder / f"{number}.json").write_text(json.dumps(errors), encoding="utf-8")


def killed(strategy, number, folder):
    """Dies in the second epoch if this worker has the number in the file "victim"."""
    victim = folder / "victim"
    dies = victim.exists() and number == int(victim.read_text())
    backup = keras.callbacks.BackupAndRestore(
        worker_folder(strategy, folder / "backup")
    )
    distiller = make_distiller(strategy)
    logs = fit(distiller, [backup, KillSelf(8 if dies else 0)])
    path = folder / f"{number}-resumed.npz"
    np.savez(path, *distiller.get_weights(), loss=logs["loss"])


if __name__ == "__main__":
    workers = tf.distribute.MultiWorkerMirroredStrategy()
    task = workers.cluster_resolver.task_id
    for scenario in sys.argv[2:]:
        {"equal": equal, "killed": killed}[scenario](workers, task, Path(sys.argv[1]))

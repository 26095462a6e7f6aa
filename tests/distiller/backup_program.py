"""A run with BackupAndRestore that can be killed: see test_backup.

Run: python backup_program.py FOLDER BATCHES_TO_LIVE
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_kd
from keras_kd.losses import HintDistillation, SoftTargetDistillation
from tests.distiller.kill_self import KillSelf

NEVER = 0
EPOCHS = 4


def classifier(filters):
    """Without dropout: Keras writes the state of its random numbers into no file."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(filters, 3, kernel_regularizer="l2", name="conv"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def falling(start):
    return keras.optimizers.schedules.PolynomialDecay(start, 20, start / 4)


def make_distiller():
    """With whatever must come back: also the weights of a loss, and schedules."""
    keras.utils.set_random_seed(3)
    hint = HintDistillation("conv", "conv")
    distiller = keras_kd.Distiller(
        classifier(8),
        classifier(4),
        [SoftTargetDistillation(temperature=falling(4.0)), hint],
        [1.0, falling(0.5)],
        alpha=falling(0.8),
    )
    distiller.compile(keras.optimizers.Adam(falling(0.01)), metrics=["accuracy"])
    return distiller


def train(folder, batches_to_live=NEVER):
    """Five batches an epoch; what was logged, and all variables by path."""
    x, y = keras_kd.data.load("digits").train.arrays()
    distiller = make_distiller()
    logs = distiller.fit(
        x[:320],
        y[:320],
        batch_size=64,
        epochs=EPOCHS,
        validation_data=(x[320:400], y[320:400]),
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.BackupAndRestore(folder / "backup"),
            KillSelf(batches_to_live),
        ],
    ).history
    variables = [*distiller.variables, *distiller.optimizer.variables]
    return logs, {f"{n} {v.path}": np.asarray(v) for n, v in enumerate(variables)}


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    history, values = train(directory, int(sys.argv[2]))
    np.savez(directory / "history.npz", **history)
    np.savez(directory / "variables.npz", *values.values())

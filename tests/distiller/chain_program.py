"""A chain as a program of its own, so that it can be killed: see test_chain_kills."""

import sys

import keras
import numpy as np
from keras import layers

import keras_kd
from keras_kd.distiller import born_again, distill_through_assistants
from tests.distiller.kill_self import KillSelf


def make_model(units=8):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(units, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(10),
        ]
    )


def make_distiller(teacher, student):
    distiller = keras_kd.Distiller(teacher, student, alpha=0.3, temperature=2.0)
    distiller.compile(keras.optimizers.Adam(0.01), metrics=["accuracy"])
    return distiller


def run(kind, folder, batches_to_live):
    """15 batches a round."""
    keras.utils.set_random_seed(3)
    x, y = keras_kd.data.load("digits").train.arrays()
    x, y = x[:320], y[:320]
    options = {
        "folder": folder,
        "make_distiller": make_distiller,
        "callbacks": [KillSelf(batches_to_live)],
        "validation_data": (x[:100], y[:100]),
        "monitor": "val_accuracy",
        "epochs": 3,
        "batch_size": 64,
        "shuffle": False,
        "verbose": 0,
    }
    if kind == "born_again":
        return born_again(None, make_model, 2, x, y, **options)
    return distill_through_assistants(
        make_model(32), [make_model(16)], make_model(8), x, y, **options
    )


if __name__ == "__main__":
    chain = run(sys.argv[1], sys.argv[2], int(sys.argv[4]))
    np.savez(sys.argv[3], *[w for m in chain.models for w in m.get_weights()])

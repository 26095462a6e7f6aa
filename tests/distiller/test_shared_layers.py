"""Layers that teacher and student have in common: only where training changes none."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd


def over(*shared, units=5):
    """A classifier of three classes behind layers that others have, too."""
    return keras.Sequential(
        [
            keras.Input((4,)),
            *shared,
            layers.Dense(units, activation="relu"),
            layers.Dense(3),
        ]
    )


def adapted():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(5, 2, (64, 4)))
    return layer


def frozen():
    layer = layers.Dense(6)
    layer.trainable = False
    return layer


X = np.random.default_rng(1).normal(5, 2, (16, 4)).astype("float32")
Y = np.arange(16) % 3


@pytest.mark.parametrize("make", [adapted, frozen])
def test_what_never_changes_may_be_shared(make):
    shared = make()
    teacher, student = over(shared, units=9), over(shared)
    before = shared.get_weights()
    answers = teacher.predict(X, verbose=0)
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("adam")
    distiller.fit(X, Y, verbose=0)
    for ours, theirs in zip(shared.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(teacher.predict(X, verbose=0), answers)
    keras_kd.MutualDistiller([over(shared), over(shared)])


@pytest.mark.parametrize(
    "make", [lambda: layers.Dense(6), layers.BatchNormalization], ids=["dense", "norm"]
)
def test_what_training_changes_may_not(make):
    shared = make()
    with pytest.raises(ValueError, match="common weights that training changes"):
        keras_kd.Distiller(over(shared), over(shared))
    with pytest.raises(ValueError, match="common weights that training changes"):
        keras_kd.MutualDistiller([over(shared), over(shared)])

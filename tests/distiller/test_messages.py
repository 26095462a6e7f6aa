"""What an error advises is code that runs, and then training does."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd._checks import InvalidInputError

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = np.arange(16) % 3


def model(units=5):
    hidden = layers.Dense(units, activation="relu")
    return keras.Sequential([keras.Input((4,)), hidden, layers.Dense(3)])


def distiller(*arguments, **options):
    made = keras_kd.Distiller(model(8), model(), **options)
    made.compile("adam", *arguments)
    return made


def advice(made, *data):
    """How to fix what `fit` raises, as its message says."""
    with pytest.raises(InvalidInputError) as caught:
        made.fit(*data, verbose=0)
    *_, fix = caught.value.parts
    return fix


def test_labels_below_0_can_be_ignored():
    y = np.where(np.arange(16) < 4, -1, Y)
    said = advice(distiller(), X, y)
    loss = eval(re.search(r"loss=(keras\.losses.*\)) to", said)[1], {"keras": keras})
    history = distiller(loss).fit(X, y, verbose=0).history
    assert np.isfinite(history["loss"][0])


def test_labels_of_minus_one_and_one_become_0_and_1():
    y = np.where(np.random.default_rng(0).normal(size=(16, 3)) > 0, 1, -1)
    made = distiller(distillation_losses=keras_kd.losses.MultiLabelDistillation(2.0))
    said = advice(made, X, y)
    scope = {"y": y}
    exec(re.search(r"y = .*\)? / 2", said)[0], scope)
    assert np.isfinite(made.fit(X, scope["y"], verbose=0).history["loss"][0])


@pytest.mark.parametrize("names", [("image",), ("image", "id")])
def test_dicts_of_tensorflow_datasets_can_be_taken_apart(names):
    parts = {name: X if name == "image" else np.arange(16) for name in names}
    data = tf.data.Dataset.from_tensor_slices({**parts, "label": Y}).batch(8)
    said = advice(distiller(), data)
    mapped = eval(re.search(r"data\.map\(.*\)\)(?=[.;])", said)[0], {"data": data})
    inputs, labels = next(iter(mapped))
    assert labels.shape == (8,)
    assert set(inputs if isinstance(inputs, dict) else names) == set(names)


def test_a_teacher_that_rules_classes_out_can_say_so_in_numbers():
    inputs = keras.Input((4,))
    mask = np.array([True, True, False])

    def teacher(low):
        logits = layers.Dense(3)(inputs)
        return keras.Model(inputs, keras.ops.where(mask, logits, low))

    made = keras_kd.Distiller(teacher(-np.inf), model(), from_logits=True)
    made.compile("adam")
    said = advice(made, X, Y % 2)
    assert "rules classes out by -inf" in said
    low = float(re.search(r"logits, (-1e9)\)", said)[1])
    made = keras_kd.Distiller(teacher(low), model(), from_logits=True)
    made.compile("adam")
    assert np.isfinite(made.fit(X, Y % 2, verbose=0).history["loss"][0])

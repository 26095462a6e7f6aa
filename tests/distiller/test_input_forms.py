"""Inputs that Keras makes fit a model train a student as they train plain Keras."""

import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf
from keras import layers
from scipy import sparse

import keras_kd


def over(*shape, **options):
    """A classifier of three classes over inputs of one shape."""

    def make(units):
        inputs = keras.Input(shape, name="x", **options)
        hidden = layers.Dense(units, activation="relu")(layers.Flatten()(inputs))
        return keras.Model(inputs, layers.Dense(3)(hidden))

    return make


def of_columns(kind):
    """A classifier over two columns, in a dict, or a list of inputs by name."""

    def make(units):
        inputs = [keras.Input((1,), name=name) for name in ("age", "size")]
        hidden = layers.Dense(units, activation="relu")(layers.Concatenate()(inputs))
        given = inputs if kind == "list" else {one.name: one for one in inputs}
        return keras.Model(given, layers.Dense(3)(hidden))

    return make


def stateful(units):
    inputs = keras.Input((5, 2), batch_size=8)
    return keras.Model(
        inputs, layers.Dense(3)(layers.LSTM(units, stateful=True)(inputs))
    )


def of_sparse(units):
    inputs = keras.Input((4,), sparse=True)
    return keras.Model(
        inputs, layers.Dense(3)(layers.Dense(units, activation="relu")(inputs))
    )


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


TABLE = {"age": draw(32), "size": draw(64)[32:]}
Y = np.arange(32) % 3


def of_unknown_sizes():
    def unknown(x, y):
        return tf.ensure_shape(
            tf.py_function(lambda a: a, [x], tf.float32), (None, None)
        ), y

    return tf.data.Dataset.from_tensor_slices((draw(32, 4), Y)).batch(8).map(unknown)


CASES = {
    "without the last axis of 1": (over(6, 6, 1), lambda: draw(32, 6, 6)),
    "with a last axis of 1": (over(6, 6), lambda: draw(32, 6, 6, 1)),
    "a column": (over(1), lambda: draw(32)),
    "a Series": (over(1), lambda: pandas.Series(draw(32))),
    "a DataFrame": (over(2), lambda: pandas.DataFrame(TABLE)),
    "a dict for a dict": (of_columns("dict"), lambda: TABLE),
    "a dict for a list": (of_columns("list"), lambda: TABLE),
    "a dict of Series": (of_columns("dict"), lambda: dict(pandas.DataFrame(TABLE))),
    "a list for a dict": (of_columns("dict"), lambda: list(TABLE.values())),
    "integers": (over(4), lambda: (10 * draw(32, 4)).astype("int64")),
    "float64": (over(4), lambda: draw(32, 4).astype("float64")),
    "a fixed batch": (over(4, batch_size=8), lambda: draw(32, 4)),
    "a stateful RNN": (stateful, lambda: draw(32, 5, 2)),
    "a scipy matrix": (
        of_sparse,
        lambda: sparse.csr_matrix(np.maximum(draw(32, 4), 0)),
    ),
    "a sparse tensor": (
        of_sparse,
        lambda: tf.sparse.from_dense(np.where(draw(32, 4) > 0, draw(32, 4), 0)),
    ),
    "unknown sizes": (over(4), None),
}


@pytest.mark.parametrize("name", CASES)
def test_alpha_1_trains_as_plain_keras(name):
    make, inputs = CASES[name]
    if inputs is None:
        data, options = (of_unknown_sizes(),), {}
    else:
        data, options = (inputs(), Y), {"batch_size": 8}
    teacher, student = make(6), make(4)
    plain = keras.models.clone_model(student)
    plain.set_weights(student.get_weights())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller = keras_kd.Distiller(teacher, student, alpha=1.0)
    for model in (plain, distiller):
        model.compile(keras.optimizers.SGD(0.1), loss)
        model.fit(*data, shuffle=False, verbose=0, **options)
    for ours, theirs in zip(student.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_what_keras_does_not_take_is_refused_before_training():
    make = over(6, 6, 1)
    distiller = keras_kd.Distiller(make(6), make(4))
    distiller.compile("sgd")
    with pytest.raises(
        ValueError, match=r"batches of shape .*6, 6, 1.* got \(32, 6, 5"
    ):
        distiller.fit(draw(32, 6, 5), Y, verbose=0)

"""`teacher_agreement` compares decisions, whatever kind they are of."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = np.eye(3)[np.arange(64) % 3]
binary = keras.losses.BinaryCrossentropy(from_logits=True)
sparse = keras.losses.SparseCategoricalCrossentropy


def model(activation=None, units=3):
    stack = [keras.Input((4,)), layers.Dense(units, activation=activation)]
    return keras.Sequential(stack)


def agreement(teacher, student, y, loss=None, **kwargs):
    distiller = keras_kd.Distiller(teacher, student, teacher_agreement=True, **kwargs)
    distiller.compile("sgd", loss, run_eagerly=True)
    logged = distiller.evaluate(X, y, batch_size=64, verbose=0, return_dict=True)
    return logged["teacher_agreement"]


@pytest.mark.parametrize(
    ("activation", "loss"),
    [("sigmoid", None), ("sigmoid", "mse"), (None, binary)],
    ids=["sigmoid", "brier", "logits"],
)
def test_independent_labels_agree_one_by_one_at_half_a_probability(activation, loss):
    teacher, student = model(activation), model(activation)
    half = 0.5 if activation else 0.0
    t, s = (m.predict(X, verbose=0) > half for m in (teacher, student))
    found = agreement(teacher, student, Y, loss)
    assert found == pytest.approx((t == s).mean())
    assert found != pytest.approx((t.argmax(-1) == s.argmax(-1)).mean())


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        (None, None),
        ("softmax", "binary_crossentropy"),
        ("sigmoid", "categorical_crossentropy"),
    ],
    ids=["logits", "softmax", "one against the rest"],
)
def test_classes_that_exclude_each_other_agree_by_the_largest(activation, loss):
    teacher, student = model(activation), model(activation)
    t, s = (m.predict(X, verbose=0).argmax(-1) for m in (teacher, student))
    assert agreement(teacher, student, Y, loss) == pytest.approx((t == s).mean())


def test_an_ensemble_for_labels_agrees_by_its_mean_probability():
    teachers, student = [model(), model(), model()], model()
    mean = np.mean([1 / (1 + np.exp(-m.predict(X, verbose=0))) for m in teachers], 0)
    expected = ((mean > 0.5) == (student.predict(X, verbose=0) > 0)).mean()
    assert agreement(teachers, student, Y, binary) == pytest.approx(expected)


def test_values_have_no_agreement_and_the_error_names_what_tells_instead():
    distiller = keras_kd.Distiller(model(), model(), teacher_agreement=True)
    with pytest.raises(ValueError, match="'mse', which is about values") as error:
        distiller.compile("sgd", "mse")
    assert "logit_regression_loss" in str(error.value)


def test_values_beside_classes_do_not_count():
    def several():
        inputs = keras.Input((4,))
        box, what = layers.Dense(4)(inputs), layers.Dense(3)(inputs)
        return keras.Model(inputs, {"box": box, "what": what})

    teacher, student = several(), several()
    loss = {"box": "mse", "what": sparse(from_logits=True)}
    y = {"box": np.zeros((64, 4)), "what": Y.argmax(-1)}
    t, s = (m.predict(X, verbose=0)["what"].argmax(-1) for m in (teacher, student))
    assert agreement(teacher, student, y, loss) == pytest.approx((t == s).mean())

"""What Keras takes for several outputs, by key, name or place, the Distiller takes."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd
from keras_kd.losses import (
    LogitRegressionDistillation,
    OnOutput,
    SoftTargetDistillation,
)


def network(kind, *, names=("a", "b")):
    """A class of three and a value, in a list or dict; or the class alone."""
    inputs = keras.Input((4,))
    a, b = (
        layers.Dense(3, name=names[0])(inputs),
        layers.Dense(1, name=names[1])(inputs),
    )
    outputs = {"list": [a, b], "dict": {names[0]: a, names[1]: b}, "one": a}
    return keras.Model(inputs, outputs[kind])


def classes():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(12, 4)).astype("float32")
    return x, generator.integers(0, 3, 12), generator.normal(size=(12, 1))


X, A, B = data()
W = np.linspace(0, 2, 12)
LOSSES = {
    "list": lambda: [classes(), "mse"],
    "dict": lambda: {"a": classes(), "b": "mse"},
    "first of list": lambda: [classes(), None],
    "first of dict": lambda: {"a": classes()},
}
LABELS = {
    "list": [A, B],
    "tuple": (A, B),
    "dict": {"a": A, "b": B},
    "first of list": [A],
    "first of dict": {"a": A},
}
METRICS = {
    "none": None,
    "list": [["accuracy"], ["mae"]],
    "dict": {"a": ["accuracy"], "b": "mae"},
}
WEIGHTS = {"list": [W, W[::-1]], "dict": {"a": W, "b": W[::-1]}}
SOFT = {
    "list": lambda: [SoftTargetDistillation(2.0), LogitRegressionDistillation()],
    "dict": lambda: {
        "a": SoftTargetDistillation(2.0),
        "b": LogitRegressionDistillation(),
    },
}


def logged(model, loss, labels, metrics, weights=None):
    """What plain Keras or a Distiller logs; None if it refuses."""
    try:
        model.compile("sgd", loss, metrics=metrics, run_eagerly=True)
        return model.evaluate(
            X, labels, sample_weight=weights, verbose=0, return_dict=True
        )
    except (ValueError, KeyError):
        return None


@pytest.mark.quick_for("dict-list")
@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("loss", LOSSES)
def test_all_that_keras_takes_gives_what_keras_gives(kind, loss):
    student = network(kind)
    taken = 0
    for labels, metrics in itertools.product(LABELS.values(), METRICS.values()):
        plain = logged(network_like(student), LOSSES[loss](), labels, metrics)
        distiller = keras_kd.Distiller(network(kind), student, SOFT["dict"](), alpha=1)
        ours = logged(distiller, LOSSES[loss](), labels, metrics)
        if plain is None:
            continue
        taken += 1
        assert ours is not None, (labels, metrics)
        assert {name: ours[name] for name in plain} == pytest.approx(plain, rel=1e-5)
        assert set(ours) - set(plain) == {
            "student_loss",
            "a_soft_target_loss",
            "b_logit_regression_loss",
        }
    assert taken or (kind, loss) == ("list", "first of dict")


def network_like(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


@pytest.mark.parametrize("soft", SOFT)
@pytest.mark.parametrize("kind", ["list", "dict"])
def test_terms_are_those_of_each_output_alone(kind, soft):
    teacher, student = network(kind), network(kind)
    distiller = keras_kd.Distiller(teacher, student, SOFT[soft](), alpha=0.5)
    # Keras takes weights only in the places of the outputs.
    ours = logged(distiller, LOSSES["dict"](), LABELS[kind], None, WEIGHTS[kind])
    t, s = (model.predict(X, verbose=0) for model in (teacher, student))
    places = (0, 1) if kind == "list" else ("a", "b")
    (t_a, t_b), (s_a, s_b) = ([each[place] for place in places] for each in (t, s))
    log_t, log_s = (
        each / 2 - np.log(np.exp(each / 2).sum(-1, keepdims=True))
        for each in (t_a, s_a)
    )
    divergence = 4 * (np.exp(log_t) * (log_t - log_s)).sum(-1)
    gap = ((t_b - s_b) ** 2).mean(-1)
    found = [value for name, value in sorted(ours.items()) if "_soft_" in name]
    found += [value for name, value in sorted(ours.items()) if "regression" in name]
    expected = [(W * divergence).mean(), (W[::-1] * gap).mean()]
    assert found == pytest.approx(expected, rel=1e-4)


def test_names_given_for_a_list_of_outputs_are_logged():
    distiller = keras_kd.Distiller(network("list"), network("list"), SOFT["dict"]())
    names = [loss.name for loss in distiller.distillation_losses]
    assert names == ["a_soft_target", "b_logit_regression"]


def test_a_teacher_of_one_output_teaches_the_one_that_is_named():
    teacher, student = network("one"), network("dict")
    losses = {"a": SoftTargetDistillation(2.0)}
    distiller = keras_kd.Distiller(teacher, student, losses, alpha=0.5)
    ours = logged(distiller, LOSSES["first of dict"](), {"a": A}, None)
    other = keras_kd.Distiller(
        teacher,
        keras.Model(student.inputs, student.output["a"]),
        SoftTargetDistillation(2.0),
        alpha=0.5,
    )
    expected = logged(other, classes(), A, None)
    assert ours["a_soft_target_loss"] == pytest.approx(expected["soft_target_loss"])
    assert ours["loss"] == pytest.approx(expected["loss"])


def test_a_student_of_one_output_learns_from_the_one_that_is_named():
    teacher, student = network("dict"), network("one")
    losses = {"a": SoftTargetDistillation(2.0)}
    distiller = keras_kd.Distiller(teacher, student, losses, alpha=0.5)
    ours = logged(distiller, classes(), A, None)
    whole = keras.Model(teacher.inputs, teacher.output["a"])
    other = keras_kd.Distiller(whole, student, SoftTargetDistillation(2.0), alpha=0.5)
    expected = logged(other, classes(), A, None)
    assert ours["loss"] == pytest.approx(expected["loss"])


def test_outputs_of_other_names_can_be_paired():
    teacher, student = network("dict", names=("top", "value")), network("dict")
    losses = [
        OnOutput(SoftTargetDistillation(2.0), "a", teacher_output="top"),
        OnOutput(LogitRegressionDistillation(), "b", teacher_output="value"),
    ]
    distiller = keras_kd.Distiller(teacher, student, losses)
    ours = logged(distiller, LOSSES["dict"](), [A, B], None)
    same = network("dict")
    same.set_weights(teacher.get_weights())
    distiller = keras_kd.Distiller(same, student, SOFT["dict"]())
    assert ours == pytest.approx(logged(distiller, LOSSES["dict"](), [A, B], None))


def test_which_output_a_teacher_of_one_teaches_must_be_said():
    with pytest.raises(ValueError, match=r"distillation_losses=\{'a': SoftTarget"):
        keras_kd.Distiller(network("one"), network("dict"))

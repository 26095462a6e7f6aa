"""The default distillation loss fits the loss of `compile`, output by output."""

import functools
import logging

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import expit, log_expit

import keras_kd
from keras_kd.losses import (
    LogitRegressionDistillation,
    MultiLabelDistillation,
    SoftTargetDistillation,
)
from tests.titles import title

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
binary = keras.losses.BinaryCrossentropy


def model(units, activation=None, *, bias=0.0):
    dense = layers.Dense(
        units, activation=activation, bias_initializer=keras.initializers.Constant(bias)
    )
    return keras.Sequential([keras.Input((4,)), dense])


def several(kind="dict"):
    """Boxes beside classes, both linear."""
    inputs = keras.Input((4,))
    outputs = {
        "box": layers.Dense(4, name="box")(inputs),
        "what": layers.Dense(3, name="what")(inputs),
    }
    return keras.Model(inputs, outputs if kind == "dict" else list(outputs.values()))


def compiled(*models, loss=None, **kwargs):
    distiller = keras_kd.Distiller(*models, **kwargs)
    distiller.compile(keras.optimizers.SGD(0.01), loss, run_eagerly=True)
    return distiller


def evaluated(distiller, y):
    return distiller.evaluate(X, y, batch_size=24, verbose=0, return_dict=True)


def label_divergence(teacher, student, temperature):
    t, s = (one.predict(X, verbose=0) / temperature for one in (teacher, student))
    yes = expit(t) * (log_expit(t) - log_expit(s))
    no = expit(-t) * (log_expit(-t) - log_expit(-s))
    return temperature**2 * (yes + no).sum(-1).mean()


@pytest.mark.parametrize("units", [1, 3])
def test_regression_learns_the_teachers_values_by_least_squares(units):
    teacher, student = model(units, bias=500.0), model(units, bias=300.0)
    distiller = compiled(teacher, student, loss="mse", alpha=0.0)
    gap = teacher.predict(X, verbose=0) - student.predict(X, verbose=0)
    logged = evaluated(distiller, np.full((24, units), 480.0))
    assert logged["logit_regression_loss"] == pytest.approx((gap**2).mean(), rel=1e-5)
    assert "soft_target_loss" not in logged
    distiller.compile(keras.optimizers.SGD(0.01), "mse")  # as a graph
    distiller.fit(X, verbose=0)
    closer = teacher.predict(X, verbose=0) - student.predict(X, verbose=0)
    assert np.abs(closer).mean() < np.abs(gap).mean() - 1.0


@pytest.mark.parametrize(
    "loss",
    [binary(from_logits=True), keras.losses.BinaryFocalCrossentropy(from_logits=True)],
    ids=["binary", "focal"],
)
def test_independent_labels_of_a_linear_head_have_a_divergence_each(loss):
    teacher, student = model(3), model(3)
    distiller = compiled(teacher, student, loss=loss, temperature=2.0)
    logged = evaluated(distiller, np.eye(3)[np.arange(24) % 3])
    expected = label_divergence(teacher, student, 2.0)
    assert logged["multi_label_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["dict", "list", "names"])
def test_boxes_beside_classes_have_losses_of_their_own(kind):
    teacher, student = several(kind), several(kind)
    loss = {
        "box": "mse",
        "what": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }
    given = list(loss.values()) if kind == "list" else loss
    distiller = compiled(teacher, student, loss=given)
    chosen = [type(one.loss) for one in distiller.distillation_losses]
    assert chosen == [LogitRegressionDistillation, SoftTargetDistillation]
    names = [tracker.name for tracker in distiller.objective.teacher_trackers]
    prefix = ("box", "what") if kind == "dict" else ("output_0", "output_1")
    assert names == [
        f"{prefix[0]}_logit_regression_loss",
        f"{prefix[1]}_soft_target_loss",
    ]


def test_one_loss_for_several_outputs_is_that_of_each():
    distiller = compiled(several(), several(), loss="mse")
    y = {"box": np.zeros((24, 4)), "what": np.zeros((24, 3))}
    logged = evaluated(distiller, y)
    t, s = (m.predict(X, verbose=0) for m in (distiller.teacher.model, distiller))
    expected = ((t["what"] - s["what"]) ** 2).mean()
    assert logged["what_logit_regression_loss"] == pytest.approx(expected, rel=1e-5)


partly = functools.partial(keras.losses.binary_crossentropy, from_logits=True)
CLASSES, LABELS, VALUES = (
    SoftTargetDistillation,
    MultiLabelDistillation,
    LogitRegressionDistillation,
)


@pytest.mark.parametrize(
    ("loss", "head", "expected"),
    [
        (keras.losses.CategoricalCrossentropy(from_logits=True), None, CLASSES),
        (keras.losses.CategoricalHinge(), None, CLASSES),
        ("ctc", None, CLASSES),
        ("hinge", None, LABELS),
        (partly, None, LABELS),
        ("MeanAbsoluteError", None, VALUES),
        ("msle", None, VALUES),
        ("log_cosh", None, VALUES),
        ("poisson", "softplus", VALUES),
        ("mse", "relu", VALUES),
        ("cosine_similarity", "tanh", VALUES),
        # A head that gives probabilities says it itself, as for Brier's score.
        ("mse", "softmax", CLASSES),
        ("mse", "sigmoid", LABELS),
        ("binary_crossentropy", "softmax", CLASSES),
        (lambda y, p: p, "softmax", CLASSES),
        (lambda y, p: p, "sigmoid", LABELS),
        (None, None, CLASSES),
    ],
    ids=title,
)
def test_every_kind_of_loss_has_its_distillation_loss(loss, head, expected):
    distiller = compiled(model(3, head), model(3, head), loss=loss)
    assert [type(one) for one in distiller.distillation_losses] == [expected]


def test_losses_that_were_given_are_never_changed():
    given = SoftTargetDistillation(3.0)
    distiller = keras_kd.Distiller(model(3), model(3), given)
    for loss in ("mse", binary(from_logits=True), lambda y, p: p):
        distiller.compile("sgd", loss)
        assert list(distiller.distillation_losses) == [given]
        assert distiller.objective.losses == [given]


def test_the_choice_follows_the_last_compile_and_keeps_alpha_and_weights():
    distiller = keras_kd.Distiller(
        model(3), model(3), distillation_loss_weights=2.0, alpha=0.5
    )
    for loss, name in (
        ("mse", "logit_regression"),
        (None, "soft_target"),
        (binary(from_logits=True), "multi_label"),
    ):
        distiller.compile("sgd", loss, run_eagerly=True)
        logged = evaluated(distiller, np.eye(3)[np.arange(24) % 3])
        expected = 0.5 * logged["student_loss"] + 0.5 * 2.0 * logged[f"{name}_loss"]
        assert logged["loss"] == pytest.approx(expected, rel=1e-5)
        assert set(logged) == {"loss", "student_loss", f"{name}_loss"}


def test_the_choice_is_told_in_the_log(caplog):
    with caplog.at_level(logging.INFO, logger="keras_kd"):
        compiled(several(), several(), loss="mse")
    assert "box_logit_regression, what_logit_regression" in caplog.text


def test_the_choice_is_saved(tmp_path):
    teacher = model(1, bias=5.0)
    distiller = compiled(teacher, model(1), loss="mse")
    distiller.fit(X, np.zeros(24), verbose=0)
    distiller.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    loaded.attach_teacher(teacher)
    y = np.zeros((24, 1))
    assert evaluated(loaded, y) == pytest.approx(evaluated(distiller, y), rel=1e-6)


def test_an_ensemble_for_values_teaches_their_weighted_mean():
    teachers, student = [model(2, bias=b) for b in (500.0, 520.0)], model(2)
    ensemble = keras_kd.teachers.Ensemble(teachers, [3, 1])
    distiller = compiled(ensemble, student, loss="mse")
    logged = evaluated(distiller, np.zeros((24, 2)))
    one, other, ours = (m.predict(X, verbose=0) for m in (*teachers, student))
    expected = ((0.75 * one + 0.25 * other - ours) ** 2).mean()
    assert logged["logit_regression_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("units", [1, 3])
def test_a_loss_of_ones_own_on_outputs_that_do_not_tell_is_refused(units):
    def own(y, p):
        return keras.ops.mean(keras.ops.square(y - p), axis=-1)

    distiller = keras_kd.Distiller(model(units), model(units))
    with pytest.raises(ValueError, match="own is about classes, labels or") as error:
        distiller.compile("sgd", own)
    for fix in (MultiLabelDistillation(4.0), LogitRegressionDistillation()):
        assert type(fix).__name__ in str(error.value)
        compiled(model(units), model(units), distillation_losses=fix, loss=own)


def test_a_temperature_for_values_is_refused():
    with pytest.raises(ValueError, match="no `temperature`, as 'mse' is about values"):
        compiled(model(1), model(1), loss="mse", temperature=2.0)


@pytest.mark.parametrize("loss", ["mse", binary(from_logits=True)], ids=title)
def test_a_teacher_of_classes_for_a_student_of_something_else_is_refused(loss):
    with pytest.raises(ValueError, match="one that ends in softmax"):
        compiled(model(3, "softmax"), model(3), loss=loss)


def peers(students, loss, **kwargs):
    distiller = keras_kd.MutualDistiller(students, **kwargs)
    distiller.compile("sgd", loss, run_eagerly=True)
    return distiller


def test_students_together_learn_each_others_values_by_least_squares(tmp_path):
    students = [model(2, bias=500.0), model(2, bias=300.0)]
    distiller = peers(students, "mse")
    one, other = (m.predict(X, verbose=0) for m in students)
    distiller.save(tmp_path / "d.keras")
    for each in (distiller, keras.models.load_model(tmp_path / "d.keras")):
        logged = evaluated(each, np.zeros((24, 2)))
        expected = ((one - other) ** 2).mean()
        assert logged["student_1_peer_loss"] == pytest.approx(expected, rel=1e-5)
        mean = each.predict(X, verbose=0)
        np.testing.assert_allclose(mean, (one + other) / 2, rtol=1e-6)


def test_students_together_have_a_divergence_for_each_independent_label():
    students = [model(3), model(3)]
    logged = evaluated(
        peers(students, binary(from_logits=True)), np.eye(3)[np.arange(24) % 3]
    )
    expected = label_divergence(students[1], students[0], 1.0)
    assert logged["student_1_peer_loss"] == pytest.approx(expected, rel=1e-4)


def test_a_temperature_for_values_of_students_together_is_refused():
    with pytest.raises(ValueError, match=r"temperature=1.0, as 'mse' is about values"):
        peers([model(1), model(1)], "mse", temperature=2.0)

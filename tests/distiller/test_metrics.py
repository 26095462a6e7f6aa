"""Losses and metrics without `from_logits` mean on logits what they mean elsewhere."""

import re

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd
from keras_kd.losses import LogitRegressionDistillation
from tests.titles import title

generator = np.random.default_rng(0)
X = generator.normal(size=(200, 4)).astype("float32")
YES = generator.integers(0, 2, 200)
ONE_HOT = np.eye(3)[generator.integers(0, 3, 200)]
binary = keras.losses.BinaryCrossentropy(from_logits=True)


def model(units, activation=None):
    stack = [keras.Input((4,)), layers.Dense(units, activation=activation)]
    return keras.Sequential(stack)


class Subclassed(keras.Model):
    """One unit, and no word about it before it runs."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


def compiled(student, **kwargs):
    units = 3 if getattr(student, "outputs", [0])[0].shape[-1] == 3 else 1
    loss = LogitRegressionDistillation()
    distiller = keras_kd.Distiller(model(units), student, loss)
    distiller.compile(keras.optimizers.SGD(0.01), run_eagerly=True, **kwargs)
    return distiller


def evaluated(distiller, y):
    return distiller.evaluate(X, y, batch_size=200, verbose=0, return_dict=True)


def probable(student, activation="sigmoid"):
    """The same model with its activation, in plain Keras."""
    return keras.Sequential([student, layers.Activation(activation)])


@pytest.mark.parametrize("loss", [None, binary], ids=["inferred", "given"])
def test_names_of_metrics_on_one_logit_unit_are_those_of_the_sigmoid(loss):
    names = ["accuracy", "acc", "binary_accuracy", "Precision", "Recall"]
    names += ["FalsePositives"]
    student = model(1)
    logged = evaluated(compiled(student, loss=loss, metrics=names), YES)
    plain = probable(student)
    plain.compile(loss="binary_crossentropy", metrics=names, run_eagerly=True)
    expected = plain.evaluate(X, YES, batch_size=200, verbose=0, return_dict=True)
    assert {name: logged[name] for name in names} == pytest.approx(
        {name: expected[name] for name in names}
    )
    decided = student.predict(X, verbose=0)[:, 0] > 0
    assert logged["accuracy"] == pytest.approx((decided == YES).mean())
    assert logged["accuracy"] != pytest.approx(
        ((student.predict(X, verbose=0)[:, 0] > 0.5) == YES).mean()
    )


@pytest.mark.parametrize("loss", [None, binary], ids=["inferred", "given"])
def test_accuracy_of_a_subclassed_logit_unit_is_that_of_the_sigmoid(loss):
    student = Subclassed()
    student(X[:1])
    distiller = keras_kd.Distiller(model(1), student, LogitRegressionDistillation())
    distiller.compile("sgd", loss, weighted_metrics=["accuracy"])
    decided = student.predict(X, verbose=0) > 0
    logged = evaluated(distiller, YES[:, None])
    assert logged["accuracy"] == pytest.approx((decided[:, 0] == YES).mean())


def test_accuracy_of_classes_is_the_argmax_as_in_keras():
    student = model(3)
    expected = (student.predict(X, verbose=0).argmax(-1) == ONE_HOT.argmax(-1)).mean()
    for y in (ONE_HOT, ONE_HOT.argmax(-1)):
        logged = evaluated(compiled(student, metrics=["accuracy"]), y)
        assert logged["accuracy"] == pytest.approx(expected)


def test_accuracy_of_values_and_of_probabilities_is_left_to_keras():
    for student, loss in ((model(1), "mse"), (model(1, "sigmoid"), None)):
        logged = evaluated(compiled(student, loss=loss, metrics=["accuracy"]), YES)
        expected = ((student.predict(X, verbose=0)[:, 0] > 0.5) == YES).mean()
        assert logged["accuracy"] == pytest.approx(expected)


def test_a_callback_knows_that_more_accuracy_is_better():
    distiller = compiled(model(1), metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping("accuracy", patience=1)
    distiller.fit(X, YES, epochs=2, callbacks=[stop], verbose=0)
    assert stop.monitor_op(2, 1)


def test_metrics_of_several_outputs_are_fitted_each_by_its_head(tmp_path):
    def several():
        inputs = keras.Input((4,))
        yes, no = layers.Dense(1)(inputs), layers.Dense(1, activation="sigmoid")(inputs)
        return keras.Model(inputs, {"logit": yes, "probability": no})

    student = several()
    distiller = keras_kd.Distiller(several(), student)
    names = ("logit", "probability")
    distiller.compile(
        "sgd", metrics={name: ["accuracy"] for name in names}, run_eagerly=True
    )
    y = dict.fromkeys(names, YES)
    distiller.save(tmp_path / "d.keras")
    given = student.predict(X, verbose=0)
    for each in (distiller, keras.models.load_model(tmp_path / "d.keras")):
        logged = evaluated(each, y)
        for name, threshold in (("logit", 0.0), ("probability", 0.5)):
            expected = ((given[name][:, 0] > threshold) == YES).mean()
            assert logged[f"{name}_accuracy"] == pytest.approx(expected)


def test_students_that_learn_together_have_the_metrics_of_their_heads():
    students = [model(1), model(1, "sigmoid")]
    distiller = keras_kd.MutualDistiller(students)
    distiller.compile("sgd", metrics=["accuracy"], run_eagerly=True)
    logged = evaluated(distiller, YES)
    for number, threshold in ((0, 0.0), (1, 0.5)):
        decided = students[number].predict(X, verbose=0)[:, 0] > threshold
        expected = (decided == YES).mean()
        assert logged[f"student_{number + 1}_accuracy"] == pytest.approx(expected)


def fixed(message):
    """What an error proposes: the metric, and the student that it can be used on."""
    metric = re.search(r"(keras\.metrics\.\w+\([^)]*\))", message)
    student = re.search(r"(keras\.Sequential\(.*\))", message)
    return metric and metric[1], student and student[1]


METRICS = keras.metrics


@pytest.mark.parametrize(
    "make",
    [
        METRICS.BinaryAccuracy,
        METRICS.Precision,
        METRICS.Recall,
        METRICS.TruePositives,
        METRICS.BinaryIoU,
    ],
)
def test_metrics_with_a_threshold_of_probabilities_name_that_of_logits(make):
    student = model(1)
    with pytest.raises(ValueError, match=r"metric that reads logits.*Half a") as error:
        compiled(student, metrics=[make()])
    metric = eval(fixed(str(error.value))[0])
    logged = evaluated(compiled(student, metrics=[metric]), YES[:, None])
    plain = make()
    plain.update_state(YES[:, None], probable(student).predict(X, verbose=0))
    assert logged[metric.name] == pytest.approx(float(plain.result()))


@pytest.mark.parametrize(
    ("make", "units"),
    [
        (lambda: METRICS.F1Score(threshold=0.5), 1),
        (lambda: METRICS.SensitivityAtSpecificity(0.5), 1),
        (lambda: METRICS.PrecisionAtRecall(0.5), 1),
        (lambda: METRICS.Precision(class_id=1), 3),
        (lambda: METRICS.KLDivergence(), 3),
        (lambda: METRICS.Poisson(), 3),
        (lambda: "kl_divergence", 3),
        (lambda: METRICS.Precision(thresholds=[0.3, 0.5]), 1),
    ],
)
def test_metrics_of_probabilities_alone_name_the_student_that_gives_them(make, units):
    student = model(units)
    with pytest.raises(ValueError, match="metric that reads logits") as error:
        compiled(student, metrics=[make()])
    ended = eval(fixed(str(error.value))[1], {"keras": keras, "student": student})
    y = YES[:, None] if units == 1 else ONE_HOT
    logged = evaluated(compiled(ended, metrics=[make()]), y)
    assert all(np.isfinite(value).all() for value in logged.values())


def test_metrics_that_order_alone_decides_are_left_as_they_are():
    metrics = ["categorical_accuracy", METRICS.TopKCategoricalAccuracy(2)]
    metrics += [METRICS.Precision(top_k=1), METRICS.F1Score(), "mse"]
    student = model(3)
    logged = evaluated(compiled(student, metrics=metrics), ONE_HOT)
    top = METRICS.Precision(top_k=1)
    top.update_state(ONE_HOT, probable(student, "softmax").predict(X, verbose=0))
    assert logged[metrics[2].name] == pytest.approx(float(top.result()))


def test_a_metric_with_from_logits_is_not_called_a_loss():
    with pytest.raises(ValueError, match="a metric with from_logits=True") as error:
        compiled(model(1), metrics=[METRICS.AUC(name="area")])
    assert "loss" not in str(error.value)
    metric = METRICS.AUC(from_logits=True)
    student = model(1)
    logged = evaluated(compiled(student, metrics=[metric]), YES[:, None])
    plain = METRICS.AUC()
    plain.update_state(YES[:, None], probable(student).predict(X, verbose=0))
    assert logged[metric.name] == pytest.approx(float(plain.result()))


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.KLDivergence(),
        "kld",
        "poisson",
        keras.losses.Poisson(),
        "ce",
        "dice",
        keras.losses.Tversky(),
        keras.losses.kl_divergence,
    ],
    ids=title,
)
def test_losses_that_read_probabilities_are_refused_on_logits(loss):
    student = model(3)
    with pytest.raises(ValueError, match="a loss that reads logits") as error:
        compiled(student, loss=loss)
    ended = eval(fixed(str(error.value))[1], {"keras": keras, "student": student})
    logged = evaluated(compiled(ended, loss=loss), ONE_HOT)
    plain = probable(student, ended.layers[-1].activation.__name__)
    plain.compile(loss=loss, run_eagerly=True)
    expected = plain.evaluate(X, ONE_HOT, batch_size=200, verbose=0)
    assert logged["student_loss"] == pytest.approx(expected, rel=1e-4)

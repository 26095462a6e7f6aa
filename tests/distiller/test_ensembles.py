"""Training from several teachers equals the formula, written out by hand."""

import keras
import numpy as np
import pytest
from scipy.special import expit, softmax

import keras_kd
from keras_kd.data import Examples
from keras_kd.losses import (
    LogitRegressionDistillation,
    MultiLabelDistillation,
    SoftTargetDistillation,
    StandardizedDistillation,
)
from keras_kd.teachers import CallableTeacher, Ensemble
from tests.losses.every_loss import ON_LOGITS

RATE = 0.5
BATCH = 80
FALLING = keras.optimizers.schedules.PolynomialDecay(6.0, 4, 2.0)


def linear_student(head=None):
    stack = [keras.Input((8, 8, 1)), keras.layers.Flatten()]
    return keras.Sequential([*stack, keras.layers.Dense(10, activation=head)])


def answers(models, x):
    return [np.asarray(model(x, training=False), "float64") for model in models]


def mean_at(temperature, logits, weights, activate):
    parts = zip(weights, logits, strict=True)
    return sum(weight * activate(z / temperature) for weight, z in parts)


def over_classes(z):
    return softmax(z, axis=-1)


def by_hand(student, x, y, targets, *, alpha, activate=over_classes):
    """Kernel and bias after SGD in float64, on the gradient of the formula.

    `targets(rows, step)` lists `(weight, temperature, probabilities)`, of which each
    has the gradient weight · temperature · (student's - probabilities).
    """
    kernel, bias = (weight.astype("float64") for weight in student.get_weights())
    x = x.reshape(len(x), -1).astype("float64")
    for step in range(len(x) // BATCH):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        z = x[rows] @ kernel + bias
        gradient = alpha * (activate(z) - np.eye(10)[y[rows]])
        for weight, temperature, probabilities in targets(rows, step):
            gap = activate(z / temperature) - probabilities
            gradient = gradient + (1 - alpha) * weight * temperature * gap
        kernel = kernel - RATE * x[rows].T @ gradient / BATCH
        bias = bias - RATE * gradient.sum(axis=0) / BATCH
    return kernel, bias


def fit(teacher, student, x, y, *, options=None, **arguments):
    distiller = keras_kd.Distiller(teacher, student, **arguments)
    distiller.compile(keras.optimizers.SGD(RATE), **(options or {}))
    distiller.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    return distiller


def assert_weights(student, expected):
    for got, wanted in zip(student.get_weights(), expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=2e-5)


@pytest.fixture
def teachers(make_model):
    """Three models that are sure of different classes."""
    models = [make_model(8), make_model(16), make_model(8)]
    for number, model in enumerate(models):
        model.layers[-1].kernel.assign(6.0 * model.layers[-1].kernel)
        model.layers[-1].bias.assign(np.roll(np.arange(10) / 3.0, 3 * number))
    return models


@pytest.mark.parametrize(
    "options", [{}, {"jit_compile": True}, {"run_eagerly": True}], ids=str
)
def test_every_loss_sees_the_mean_at_its_own_temperature(teachers, arrays, options):
    x, y = arrays
    weights, logits = [0.5, 0.2, 0.3], answers(teachers, x)

    def targets(rows, step):
        falling = 6.0 + (2.0 - 6.0) * min(step, 4) / 4
        return [
            (w, t, mean_at(t, [z[rows] for z in logits], weights, over_classes))
            for w, t in ((0.7, 1.0), (0.1, 4.0), (0.2, falling))
        ]

    student = linear_student()
    expected = by_hand(student, x, y, targets, alpha=0.3)
    losses = [SoftTargetDistillation(t) for t in (1.0, 4.0, FALLING)]
    fit(
        Ensemble(teachers, [5, 2, 3]),
        student,
        x,
        y,
        alpha=0.3,
        distillation_losses=losses,
        distillation_loss_weights=[0.7, 0.1, 0.2],
        options=options,
    )
    assert_weights(student, expected)


def test_a_list_of_models_is_an_ensemble_of_equal_weights(teachers, arrays):
    x, y = arrays
    logits, equal = answers(teachers, x), [1 / 3] * 3
    student = linear_student()
    expected = by_hand(
        student,
        x,
        y,
        lambda rows, step: [
            (1.0, 3.0, mean_at(3.0, [z[rows] for z in logits], equal, over_classes))
        ],
        alpha=0.5,
    )
    distiller = fit(teachers, student, x, y, alpha=0.5, temperature=3.0)
    assert_weights(student, expected)
    assert isinstance(distiller.teacher, Ensemble)


@pytest.mark.parametrize("head", [None, "sigmoid"])
def test_multi_label_losses_see_the_mean_of_sigmoids(
    teachers, make_model, arrays, head
):
    x, y = arrays
    logits, equal = answers(teachers, x), [1 / 3] * 3
    members = []
    for model in teachers:
        members.append(make_model(model.get_layer("hidden").units, head))
        members[-1].set_weights(model.get_weights())
    student = linear_student(head)
    expected = by_hand(
        student,
        x,
        y,
        lambda rows, step: [
            (1.0, 2.0, mean_at(2.0, [z[rows] for z in logits], equal, expit))
        ],
        alpha=0.0,
        activate=expit,
    )
    fit(
        members,
        student,
        x,
        keras.utils.to_categorical(y, 10),
        alpha=0.0,
        distillation_losses=MultiLabelDistillation(2.0),
    )
    assert_weights(student, expected)


def test_drawn_members_teach_one_batch_each(teachers, arrays):
    x, y = arrays
    logits = answers(teachers, x)
    ensemble = Ensemble(teachers, one_per_batch=True, seed=5)
    drawn = []

    def targets(rows, step):
        taught = ensemble.teach(Examples(x[rows]), step).logits
        gaps = [np.abs(np.asarray(taught) - z[rows]).max() for z in logits]
        drawn.append(int(np.argmin(gaps)))
        return [(1.0, 4.0, over_classes(logits[drawn[-1]][rows] / 4.0))]

    student = linear_student()
    expected = by_hand(student, x, y, targets, alpha=0.1)
    fit(ensemble, student, x, y)
    assert_weights(student, expected)
    assert len(set(drawn)) > 1


@pytest.mark.slow
def test_logged_values_are_those_of_the_mean(teachers, student, arrays):
    x, y = arrays
    distiller = keras_kd.Distiller(
        teachers,
        student,
        distillation_losses=[
            SoftTargetDistillation(4.0),
            LogitRegressionDistillation(),
            keras.distillation.LogitsDistillation(
                temperature=2.0, loss=keras.losses.KLDivergence()
            ),
        ],
        teacher_agreement=True,
    )
    distiller.compile()
    logs = distiller.evaluate(x, y, return_dict=True, verbose=0)
    logits, own, equal = answers(teachers, x), answers([student], x)[0], [1 / 3] * 3

    def divergence(temperature):
        p = mean_at(temperature, logits, equal, over_classes)
        gap = np.log(p) - np.log(over_classes(own / temperature))
        return temperature**2 * (p * gap).sum(axis=-1).mean()

    assert logs["soft_target_loss"] == pytest.approx(divergence(4.0), rel=1e-4)
    assert logs["logits_loss"] == pytest.approx(divergence(2.0), rel=1e-4)
    p = mean_at(1.0, logits, equal, over_classes)
    # The offset that makes the mean of equal members the member itself.
    offset = np.mean([np.log(np.exp(z).sum(-1, keepdims=True)) for z in logits], 0)
    squares = np.square(np.log(p) + offset - own).mean()
    assert logs["logit_regression_loss"] == pytest.approx(squares, rel=1e-4)
    agreed = np.mean(p.argmax(-1) == own.argmax(-1))
    assert logs["teacher_agreement"] == pytest.approx(agreed, abs=1e-6)


@pytest.mark.quick_for("SoftTargetDistillation")
@pytest.mark.parametrize("name", ON_LOGITS)
def test_members_that_agree_teach_every_loss_like_one_of_them(teachers, arrays, name):
    (x, y), student, logs = arrays, linear_student(), []
    if name == "MultiLabelDistillation":
        y = keras.utils.to_categorical(y, 10)
    for teacher in (teachers[0], Ensemble(teachers[:1] * 2, [1, 2])):
        distiller = keras_kd.Distiller(teacher, student, ON_LOGITS[name]())
        distiller.compile()
        logs.append(distiller.evaluate(x, y, return_dict=True, verbose=0))
    assert logs[1] == pytest.approx(logs[0], rel=1e-4, abs=1e-5)


def test_each_member_runs_once_in_a_step_whatever_the_losses(student, arrays):
    x, y = arrays
    calls = []

    def teacher(number):
        def function(images):
            calls.append(number)
            return np.zeros((len(images), 10), "float32") + number

        return CallableTeacher(
            function,
            from_logits=True,
            num_classes=10,
            fingerprint=f"{number}",
            numpy=True,
        )

    distiller = keras_kd.Distiller(
        [teacher(0), teacher(1)],
        student,
        [SoftTargetDistillation(t) for t in (1.0, 2.0, 4.0)],
    )
    distiller.compile()
    distiller.test_on_batch(x[:BATCH], y[:BATCH])  # with a look at the first examples
    calls.clear()
    for start in range(0, len(x) - BATCH + 1, BATCH):
        distiller.test_on_batch(x[start : start + BATCH], y[start : start + BATCH])
    assert sorted(calls) == [0] * (len(x) // BATCH) + [1] * (len(x) // BATCH)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"one_per_batch": True, "seed": 2}], ids=str)
def test_mirrored_training_equals_plain_training(
    teachers, arrays, options, two_replicas
):
    ensemble, plain = Ensemble(teachers, **options), linear_student()
    with two_replicas.scope():
        mirrored = linear_student()
        mirrored.set_weights(plain.get_weights())
        fit(ensemble, mirrored, *arrays)
    fit(ensemble, plain, *arrays)
    assert_weights(mirrored, plain.get_weights())


def test_wrappers_train_on_the_plain_mean(teachers, arrays):
    x, y = arrays
    student = linear_student()
    distiller = keras_kd.Distiller(teachers, student, StandardizedDistillation())
    distiller.compile()
    logs = distiller.evaluate(x, y, return_dict=True, verbose=0)
    p = mean_at(1.0, answers(teachers, x), [1 / 3] * 3, over_classes)

    def standardised(z):
        return (z - z.mean(-1, keepdims=True)) / z.std(-1, ddof=1, keepdims=True)

    target = over_classes(standardised(np.log(p)) / 2)
    own = over_classes(standardised(answers([student], x)[0]) / 2)
    expected = 4 * (target * (np.log(target) - np.log(own))).sum(-1).mean()
    assert logs["standardized_loss"] == pytest.approx(expected, rel=1e-4)

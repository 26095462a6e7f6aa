"""However Keras is told to run the training, the student is the same."""

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd.losses import (
    CurriculumTemperatureDistillation,
    HintDistillation,
    SoftTargetDistillation,
)
from keras_kd.teachers import label
from tests.distiller.test_training import clone

BATCH = 32
STEPS = 11  # no multiple of 8
FALLING = keras.optimizers.schedules.PolynomialDecay


def classifier(width):
    """A small convolutional net on the digits, with a penalty on its weights."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(
                4, 3, activation="relu", name="conv", kernel_regularizer="l2"
            ),
            layers.Flatten(),
            layers.Dense(width, activation="relu", name="hidden"),
            layers.Dense(10),
        ]
    )


@pytest.fixture(scope="module")
def pair():
    """Teacher and untrained student."""
    keras.utils.set_random_seed(3)
    teacher = classifier(24)
    teacher.layers[-1].kernel.assign(4.0 * teacher.layers[-1].kernel)
    return teacher, classifier(6)


def uneven(digits, count):
    """`x`, `y` and sample weights of some digits."""
    x, y = digits.train.arrays()
    weight = np.random.default_rng(0).uniform(0.2, 1.8, count).astype("float32")
    return x[:count], y[:count], weight


@pytest.fixture
def data(digits):
    return uneven(digits, STEPS * BATCH)


def with_schedules(extra):
    """Arguments of a `Distiller` in which everything changes with the step."""
    return {
        "distillation_losses": [SoftTargetDistillation(FALLING(6.0, 20, 2.0)), extra],
        "distillation_loss_weights": [1.0, FALLING(2.0, 20, 0.5)],
        "alpha": FALLING(0.9, 20, 0.1),
    }


def hint():
    return with_schedules(HintDistillation("conv", "conv"))


def compiled(pair, arguments, **options):
    """A distiller of a fresh copy of the student; every time the same one."""
    teacher, student = pair
    keras.utils.set_random_seed(5)
    distiller = keras_kd.Distiller(
        teacher, clone(student), teacher_agreement=True, **arguments
    )
    # A larger epsilon: it divides gradients that are zero but for rounding.
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-3)
    distiller.compile(
        optimizer, metrics=["accuracy"], weighted_metrics=["accuracy"], **options
    )
    return distiller


def fitted(pair, data, arguments, **options):
    """The distiller after two epochs, and what was logged, validation too."""
    distiller = compiled(pair, arguments, **options)
    x, y, weight = data
    history = distiller.fit(
        x,
        y,
        sample_weight=weight,
        validation_data=(x[:100], y[:100], weight[:100]),
        batch_size=BATCH,
        shuffle=False,
        epochs=2,
        verbose=0,
    )
    return distiller, history.history


def assert_same_training(one, other, tolerance=1e-4):
    """Weights of student, losses and optimizer, and all that was logged, are equal."""
    (one, one_logs), (other, other_logs) = one, other
    assert len(one.trainable_variables) > len(one.student.trainable_variables)
    for a, b in (
        (one.variables, other.variables),
        (one.optimizer.variables, other.optimizer.variables),
    ):
        for ours, theirs in zip(a, b, strict=True):
            np.testing.assert_allclose(
                ours, theirs, rtol=tolerance, atol=tolerance / 10, err_msg=ours.path
            )
    assert set(one_logs) == set(other_logs)
    for name, values in one_logs.items():
        assert other_logs[name] == pytest.approx(values, rel=tolerance), name


@pytest.fixture(scope="module")
def plain(pair, digits):
    """Results of a plain `fit`, each computed once."""
    known = {}

    def result(data, make):
        if make not in known:
            known[make] = fitted(pair, data, make(), jit_compile=False)
        return known[make]

    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"run_eagerly": True},
        {"jit_compile": True},
        {"steps_per_execution": 8},
        pytest.param(
            {"steps_per_execution": 8, "jit_compile": True}, marks=pytest.mark.release
        ),
    ],
    ids=["eager", "xla", "eight_steps", "eight_steps_xla"],
)
def test_ways_to_run_a_step_are_equal(pair, plain, data, options):
    other = fitted(pair, data, hint(), **{"jit_compile": False, **options})
    assert other[0].optimizer.iterations == 2 * STEPS
    assert_same_training(plain(data, hint), other)


def test_fit_is_a_loop_of_train_on_batch(pair, plain, data):
    expected, history = plain(data, hint)
    distiller = compiled(pair, hint(), jit_compile=False)
    losses = []
    for _ in range(2):
        for step in range(STEPS):
            rows = slice(step * BATCH, (step + 1) * BATCH)
            logs = distiller.train_on_batch(*(a[rows] for a in data), return_dict=True)
            losses.append([logs[name] for name in ("loss", "hint_loss", "accuracy")])
    # Keras logs the mean over the batches of an epoch, and these for each batch alone.
    means = np.reshape(losses, (2, STEPS, 3)).mean(axis=1)
    logged = {
        name: list(means[:, i])
        for i, name in enumerate(("loss", "hint_loss", "accuracy"))
    }
    assert_same_training(
        (expected, {name: history[name] for name in logged}), (distiller, logged)
    )


@pytest.mark.slow
def test_stored_soft_targets_teach_as_the_teacher_does(pair, digits, tmp_path):
    teacher, student = pair
    train = digits.train
    soft = label(teacher, train, tmp_path / "soft", dtype="float32")
    results = []
    for source, batches in (
        (teacher, train.batches(BATCH)),
        (soft, soft.attach(train, batch_size=BATCH)),
    ):
        alpha = FALLING(0.9, 60, 0.1)
        losses = [
            SoftTargetDistillation(FALLING(6.0, 60, 2.0)),
            CurriculumTemperatureDistillation(steps_per_epoch=10),
        ]
        distiller = compiled(
            (source, student), {"distillation_losses": losses, "alpha": alpha}
        )
        history = distiller.fit(batches, epochs=2, verbose=0)
        results.append((distiller, history.history))
    assert_same_training(*results)

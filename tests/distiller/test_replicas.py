"""Two replicas of a `tf.distribute` strategy train as one device does."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd.losses import DistillationLoss, SoftTargetDistillation
from tests.distiller.test_equalities import BATCH, uneven, with_schedules
from tests.distiller.test_positions import tagger
from tests.distiller.test_training import HiddenRegression, clone


def classifier(width):
    """Without convolutions, which TensorFlow cannot run on an empty batch."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(
                width, activation="relu", name="hidden", kernel_regularizer="l2"
            ),
            layers.Dense(12, activation="relu", name="same"),
            layers.Dense(10),
        ]
    )


@pytest.fixture(scope="module")
def pair():
    """Teacher and untrained student."""
    keras.utils.set_random_seed(3)
    return classifier(24), classifier(6)


@pytest.fixture
def data(digits):
    return uneven(digits, 5 * BATCH)


def regression():
    """Arguments with a loss that owns weights, and schedules in all places."""
    return with_schedules(HiddenRegression())


def trained_on(strategy, pair, data, arguments, loss=None, **options):
    """A distiller after one epoch under a strategy, and what was logged."""
    teacher, student = pair
    keras.utils.set_random_seed(5)
    with strategy.scope():
        distiller = keras_kd.Distiller(teacher, clone(student), **arguments)
        optimizer = keras.optimizers.Adam(0.01, epsilon=1e-3)
        distiller.compile(optimizer, loss, metrics=["accuracy"], **options)
    x, y, weight = data
    history = distiller.fit(
        x, y, sample_weight=weight, batch_size=BATCH, shuffle=False, verbose=0
    )
    return distiller, history.history


def assert_same(one, two):
    """Weights and all that was logged are equal."""
    for ours, theirs in zip(one[0].variables, two[0].variables, strict=True):
        np.testing.assert_allclose(
            ours, theirs, rtol=1e-4, atol=1e-5, err_msg=ours.path
        )
    assert set(one[1]) == set(two[1])
    for name, values in one[1].items():
        assert two[1][name] == pytest.approx(values, rel=1e-4), name


def assert_two_train_like_one(strategy, pair, data, make, *loss):
    """`make` is called once for each; both distillers are returned."""
    assert strategy.num_replicas_in_sync == 2
    one = trained_on(tf.distribute.get_strategy(), pair, data, make(), *loss)
    two = trained_on(strategy, pair, data, make(), *loss)
    assert_same(one, two)
    return one[0], two[0]


def class_error(y_true, y_pred):
    """A loss on hard labels as a plain function: the squared error of the classes."""
    gap = keras.ops.one_hot(keras.ops.reshape(y_true, (-1,)), 10) - y_pred
    return keras.ops.mean(keras.ops.square(gap), axis=-1)


@pytest.mark.release
@pytest.mark.parametrize(
    "loss",
    [
        class_error,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum"),
    ],
    ids=["function", "sum"],
)
def test_they_count_a_loss_on_hard_labels_once(two_replicas, pair, data, loss):
    def make():
        return {"alpha": 0.5}

    assert_two_train_like_one(two_replicas, pair, data, make, loss)


class MeanGap(keras.losses.Loss):
    """A loss of Keras's that gives one value for the batch."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred))


class OwnDistillation(keras.distillation.DistillationLoss):
    """A user's loss for Keras's Distiller, with other losses inside."""

    def __init__(self):
        self.parts = [keras.losses.MeanAbsoluteError(), MeanGap()]
        self.added = keras.losses.MeanSquaredError(reduction="sum")

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        parts = [part(teacher_outputs, student_outputs) for part in self.parts]
        return sum(parts) + self.added(teacher_outputs, student_outputs) / BATCH


class BatchGap(DistillationLoss):
    """A loss of ours that is the batch's, not an example's."""

    def call(self, teacher, student, labels=None):
        return keras.ops.mean(keras.ops.square(student.logits - teacher.logits))


def of_keras():
    """Keras's losses: objects, names and functions, on logits and on layers."""
    logits, feature = (
        keras.distillation.LogitsDistillation,
        keras.distillation.FeatureDistillation,
    )
    return [
        logits(2.0, keras.losses.KLDivergence()),
        logits(2.0, "mse"),
        feature(keras.losses.MeanAbsoluteError(), "same", "same"),
        feature("mse", "same", "same"),
        feature(keras.losses.MeanAbsoluteError(reduction=None), "same", "same"),
        OwnDistillation(),
    ]


@pytest.mark.slow
def test_they_count_losses_of_keras_once(two_replicas, pair, data):
    def make():
        losses = [*of_keras(), BatchGap()]
        weights = [1.0, 0.5, 2.0, 2.0, 2.0, 0.5, 0.01]
        return {"distillation_losses": losses, "distillation_loss_weights": weights}

    assert_two_train_like_one(two_replicas, pair, data, make)


@pytest.mark.slow
@pytest.mark.parametrize(
    "left",
    [
        1,
        pytest.param(0, marks=pytest.mark.release),
        pytest.param(7, marks=pytest.mark.release),
    ],
)
def test_they_train_the_weights_of_a_loss_whatever_the_last_batch(
    two_replicas, pair, data, left
):
    part = [array[: 2 * BATCH + left] for array in data]
    both = assert_two_train_like_one(two_replicas, pair, part, regression)
    one, two = (
        each.evaluate(*part[:2], sample_weight=part[2], verbose=0, return_dict=True)
        for each in both
    )
    assert two == pytest.approx(one, rel=1e-4)


@pytest.mark.release
def test_a_distiller_saved_on_two_goes_on_alone(two_replicas, pair, data, tmp_path):
    def make():
        loss = keras.losses.MeanAbsoluteError()
        losses = [keras.distillation.FeatureDistillation(loss, "same", "same")]
        return {"distillation_losses": losses}

    one, two = assert_two_train_like_one(two_replicas, pair, data, make)
    two.save(tmp_path / "two.keras")
    loaded = keras.models.load_model(tmp_path / "two.keras")
    loaded.attach_teacher(pair[0])
    for each in (one, loaded):
        each.fit(*data[:2], batch_size=BATCH, shuffle=False, verbose=0)
    for ours, theirs in zip(one.variables, loaded.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert loaded.optimizer.iterations == one.optimizer.iterations


@pytest.mark.release
def test_several_steps_at_once(two_replicas, pair, data):
    results = [
        trained_on(two_replicas, pair, data, regression(), steps_per_execution=count)
        for count in (1, 4)
    ]
    assert_same(*results)


def two_heads(width):
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(width, activation="relu")(layers.Flatten()(inputs))
    outputs = {"a": layers.Dense(10)(x), "b": layers.Dense(4, activation="softmax")(x)}
    return keras.Model(inputs, outputs)


@pytest.mark.slow
def test_several_outputs_with_weights_of_their_own(two_replicas, data):
    x, y, weight = data
    models = two_heads(24), two_heads(6)
    results = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            losses = {"a": SoftTargetDistillation(2.0), "b": [SoftTargetDistillation()]}
            distiller = keras_kd.Distiller(models[0], clone(models[1]), losses)
            distiller.compile(
                keras.optimizers.Adam(0.01, epsilon=1e-3), metrics={"a": "accuracy"}
            )
        history = distiller.fit(
            x,
            {"a": y, "b": y % 4},
            sample_weight={"a": weight, "b": weight[::-1]},
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
        )
        results.append((distiller, history.history))
    assert_same(*results)


def test_padding_that_two_replicas_share_unevenly(two_replicas):
    generator = np.random.default_rng(0)
    tokens = generator.integers(1, 20, (16, 7))
    # The first half of each batch is full, the second all but empty.
    is_second_half = np.arange(16)[:, None] % 8 >= 4
    tokens[is_second_half & (np.arange(7) >= 1)] = 0
    labels = generator.integers(0, 5, (16, 7))
    teacher, student = tagger(16), tagger(6)
    results = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            distiller = keras_kd.Distiller(teacher, clone(student), alpha=0.5)
            distiller.compile(keras.optimizers.SGD(0.5))
        history = distiller.fit(
            tokens, labels, batch_size=8, shuffle=False, verbose=0
        ).history
        results.append((distiller.student.get_weights(), history))
    (weights, history), (others, other) = results
    for one, two in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
    for name, values in history.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-4)

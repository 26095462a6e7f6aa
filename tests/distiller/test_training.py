"""`fit` equals what the formula says, written out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

import keras_kd
from keras_kd.losses import DistillationLoss, SoftTargetDistillation
from keras_kd.outputs import ModelOutputs


def hand_written_steps(
    teacher, student, x, y, *, alpha, temperature, rate, batch_size, weight=None
):
    """SGD in plain TensorFlow on the formula of the README; returns the losses."""
    losses = []
    for start in range(0, len(x), batch_size):
        rows = slice(start, start + batch_size)
        one_hot = tf.one_hot(y[rows], 10)
        weights = tf.ones(len(x[rows])) if weight is None else weight[rows]
        soft_teacher = tf.nn.softmax(teacher(x[rows], training=False) / temperature)
        with tf.GradientTape() as tape:
            logits = student(x[rows], training=True)
            hard = -tf.reduce_sum(one_hot * tf.nn.log_softmax(logits), axis=-1)
            soft = temperature**2 * tf.reduce_sum(
                soft_teacher
                * (tf.math.log(soft_teacher) - tf.nn.log_softmax(logits / temperature)),
                axis=-1,
            )
            per_example = alpha * hard + (1 - alpha) * soft
            loss = tf.reduce_mean(weights * per_example) + sum(student.losses)
        gradients = tape.gradient(loss, student.trainable_variables)
        for gradient, variable in zip(
            gradients, student.trainable_variables, strict=True
        ):
            variable.assign_sub(rate * gradient)
        losses.append(float(loss))
    return losses


def clone(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def assert_same_weights(one, other, tolerance=1e-5):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_fit_equals_a_hand_written_loop(teacher, make_model, arrays, alpha):
    x, y = arrays
    student = make_model(6, batch_norm=True, regularizer="l2")
    by_hand = clone(student)
    expected = hand_written_steps(
        teacher, by_hand, x, y, alpha=alpha, temperature=3.0, rate=0.1, batch_size=64
    )
    distiller = keras_kd.Distiller(teacher, student, alpha=alpha, temperature=3.0)
    distiller.compile(keras.optimizers.SGD(0.1))
    history = distiller.fit(x, y, batch_size=64, shuffle=False, verbose=0)
    assert_same_weights(student, by_hand)
    assert history.history["loss"][0] == pytest.approx(np.mean(expected), rel=1e-5)


def test_sample_weight_counts_in_both_terms(teacher, student, arrays):
    x, y = arrays
    weight = np.random.default_rng(0).uniform(0, 2, len(x)).astype("float32")
    by_hand = clone(student)
    hand_written_steps(
        teacher,
        by_hand,
        x,
        y,
        alpha=0.5,
        temperature=2.0,
        rate=0.1,
        batch_size=80,
        weight=weight,
    )
    distiller = keras_kd.Distiller(teacher, student, alpha=0.5, temperature=2.0)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(x, y, sample_weight=weight, batch_size=80, shuffle=False, verbose=0)
    assert_same_weights(student, by_hand)


def test_class_weight_is_a_sample_weight(teacher, student, arrays):
    x, y = arrays
    other = clone(student)
    for model, kwargs in (
        (student, {"class_weight": {label: 0.1 * label for label in range(10)}}),
        (other, {"sample_weight": 0.1 * y.astype("float32")}),
    ):
        distiller = keras_kd.Distiller(teacher, model, alpha=0.5)
        distiller.compile(keras.optimizers.SGD(0.1))
        distiller.fit(x, y, shuffle=False, verbose=0, **kwargs)
    assert_same_weights(student, other)


@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 4}],
    ids=["eager", "xla", "steps_per_execution"],
)
def test_ways_to_run_a_step_are_equal(teacher, student, arrays, options):
    other = clone(student)
    for model, extra in ((student, {}), (other, options)):
        distiller = keras_kd.Distiller(teacher, model)
        distiller.compile(keras.optimizers.SGD(0.1), **extra)
        distiller.fit(*arrays, shuffle=False, verbose=0)
    assert_same_weights(student, other, 1e-4)


@pytest.mark.slow
def test_probability_heads_train_like_logit_heads(make_model, teacher, arrays):
    soft_teacher = make_model(32, "softmax")
    soft_teacher.set_weights(teacher.get_weights())
    student, soft_student = make_model(6), make_model(6, "softmax")
    soft_student.set_weights(student.get_weights())
    for pair in ((teacher, student), (soft_teacher, soft_student)):
        distiller = keras_kd.Distiller(*pair, alpha=0.5)
        distiller.compile(keras.optimizers.SGD(0.1))
        distiller.fit(*arrays, shuffle=False, verbose=0)
    assert_same_weights(student, soft_student)


def test_logged_values_are_those_of_the_formula(teacher, student, arrays):
    x, y = arrays
    distiller = keras_kd.Distiller(
        teacher, student, alpha=0.25, temperature=2.0, teacher_agreement=True
    )
    distiller.compile("sgd", metrics=["accuracy"])
    logs = distiller.evaluate(x, y, return_dict=True, verbose=0)
    z_t, z_s = (
        np.asarray(m.predict(x, verbose=0), "float64") for m in (teacher, student)
    )
    hard = -log_softmax(z_s, axis=-1)[np.arange(len(y)), y].mean()
    p = softmax(z_t / 2, axis=-1)
    gap = log_softmax(z_t / 2, axis=-1) - log_softmax(z_s / 2, axis=-1)
    soft = 4 * (p * gap).sum(axis=-1).mean()
    assert logs["student_loss"] == pytest.approx(hard, rel=1e-5)
    assert logs["soft_target_loss"] == pytest.approx(soft, rel=1e-5)
    assert logs["loss"] == pytest.approx(0.25 * hard + 0.75 * soft, rel=1e-5)
    agreed = np.mean(z_t.argmax(-1) == z_s.argmax(-1))
    assert logs["teacher_agreement"] == pytest.approx(agreed, abs=1e-6)
    assert logs["accuracy"] == pytest.approx(np.mean(z_s.argmax(-1) == y), abs=1e-6)


def test_regularisation_is_counted_once(teacher, make_model, arrays):
    student = make_model(6, regularizer=keras.regularizers.L2(100.0))
    distiller = keras_kd.Distiller(teacher, student, alpha=0.5)
    distiller.compile("sgd")
    logs = distiller.evaluate(*arrays, return_dict=True, verbose=0)
    penalty = 100.0 * np.sum(np.square(student.get_layer("conv").kernel))
    terms = 0.5 * (logs["student_loss"] + logs["soft_target_loss"])
    assert logs["loss"] == pytest.approx(terms + penalty, rel=1e-5)


def test_batch_normalisation_moves_once_a_step_and_not_in_evaluate(
    teacher, make_model, arrays
):
    student = make_model(6, batch_norm=True)
    norm = student.get_layer("norm")
    norm.momentum = 0.5
    batch = student.get_layer("conv")(arrays[0])
    feature = keras.distillation.FeatureDistillation("mse", "conv", "conv")
    distiller = keras_kd.Distiller(
        teacher, student, [SoftTargetDistillation(), feature]
    )
    distiller.compile("sgd")
    distiller.evaluate(*arrays, verbose=0)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(4))
    distiller.train_on_batch(*arrays)
    expected = 0.5 * np.mean(batch, axis=(0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-4)


def test_teacher_is_left_as_it_was(make_model, student, arrays):
    teacher = make_model(16, batch_norm=True)
    weights = [weight.copy() for weight in teacher.get_weights()]
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("adam")
    distiller.fit(*arrays, verbose=0)
    assert teacher.trainable
    assert len(teacher.trainable_variables) > 0
    for before, after in zip(weights, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    ours = {id(variable) for variable in distiller.variables}
    assert not ours & {id(variable) for variable in teacher.variables}


def test_unlabelled_data_trains_with_alpha_0(teacher, student, arrays):
    other = clone(student)
    x, y = arrays
    for model, data in ((student, (x,)), (other, (x, y))):
        distiller = keras_kd.Distiller(teacher, model, alpha=0)
        distiller.compile(keras.optimizers.SGD(0.1), metrics=["accuracy"])
        history = distiller.fit(*data, shuffle=False, verbose=0).history
        assert ("student_loss" in history) == (len(data) == 2)
    assert_same_weights(student, other)


@pytest.mark.slow
def test_unlabelled_training_validates_on_labels(teacher, student, arrays):
    distiller = keras_kd.Distiller(teacher, student, alpha=0)
    distiller.compile("adam", metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices(arrays[0]).batch(32)
    history = distiller.fit(data, validation_data=arrays, epochs=2, verbose=0).history
    assert len(history["val_accuracy"]) == 2
    assert "accuracy" not in history


def test_alpha_schedule_is_evaluated_at_every_step(teacher, student, arrays):
    x, y = arrays[0][:96], arrays[1][:96]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [0, 1], [1.0, 0.5, 0.0]
    )
    by_hand = clone(student)
    for step, alpha in enumerate((1.0, 0.5, 0.0)):
        rows = slice(32 * step, 32 * step + 32)
        hand_written_steps(
            teacher,
            by_hand,
            x[rows],
            y[rows],
            alpha=alpha,
            temperature=4.0,
            rate=0.1,
            batch_size=32,
        )
    distiller = keras_kd.Distiller(teacher, student, alpha=schedule)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(x, y, shuffle=False, verbose=0)
    assert_same_weights(student, by_hand)


@pytest.mark.slow
def test_temperature_schedule_is_evaluated_at_every_step(teacher, student, arrays):
    x, y = arrays[0][:64], arrays[1][:64]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [8.0, 2.0])
    by_hand = clone(student)
    for step, temperature in enumerate((8.0, 2.0)):
        rows = slice(32 * step, 32 * step + 32)
        hand_written_steps(
            teacher,
            by_hand,
            x[rows],
            y[rows],
            alpha=0.1,
            temperature=temperature,
            rate=0.1,
            batch_size=32,
        )
    distiller = keras_kd.Distiller(teacher, student, temperature=schedule)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(x, y, shuffle=False, verbose=0)
    assert_same_weights(student, by_hand)


class HiddenRegression(DistillationLoss):
    """A loss with a trainable part, as later papers have."""

    def __init__(self, **kwargs):
        super().__init__(teacher_layers=["hidden"], student_layers=["hidden"], **kwargs)

    def build(self, teacher_shapes, student_shapes):
        self.regressor = keras.layers.Dense(teacher_shapes.features["hidden"][-1])
        self.regressor.build(student_shapes.features["hidden"])

    def call(self, teacher, student, labels=None):
        guess = self.regressor(student.features["hidden"])
        gap = guess - teacher.features["hidden"]
        return keras.ops.mean(keras.ops.square(gap), axis=-1)


def test_weights_of_a_loss_train_with_the_student(teacher, student, arrays):
    loss = HiddenRegression()
    distiller = keras_kd.Distiller(
        teacher, student, [SoftTargetDistillation(2.0), loss], [1.0, 0.5]
    )
    distiller.compile("adam")
    before = loss.get_weights()[0].copy()
    history = distiller.fit(*arrays, epochs=3, verbose=0).history
    assert np.abs(loss.get_weights()[0] - before).max() > 0
    assert history["hidden_regression_loss"][-1] < history["hidden_regression_loss"][0]
    assert len(student.weights) + len(loss.weights) == len(distiller.trainable_weights)


def test_two_losses_of_one_class_are_logged_under_two_names(teacher, student, arrays):
    losses = [SoftTargetDistillation(2.0), SoftTargetDistillation(8.0)]
    distiller = keras_kd.Distiller(teacher, student, losses)
    distiller.compile("adam")
    logs = distiller.evaluate(*arrays, return_dict=True, verbose=0)
    assert {"soft_target_loss", "soft_target_2_loss"} <= set(logs)


def test_scalar_losses_are_taken_as_they_are(teacher, student, arrays):
    class Constant(DistillationLoss):
        def call(self, teacher, student, labels=None):
            return keras.ops.convert_to_tensor(2.5)

    distiller = keras_kd.Distiller(teacher, student, Constant(), alpha=0)
    distiller.compile("sgd")
    logs = distiller.evaluate(*arrays, return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx(2.5)


def test_losses_see_the_labels_of_the_batch(teacher, student, arrays):
    seen = []

    class Looking(DistillationLoss):
        def call(self, teacher, student, labels=None):
            seen.append(labels)
            return keras.ops.mean(student.logits, axis=-1)

    distiller = keras_kd.Distiller(teacher, student, Looking())
    distiller.compile("sgd", run_eagerly=True)
    distiller.train_on_batch(*arrays)
    np.testing.assert_array_equal(seen[-1], arrays[1])
    assert isinstance(teacher(arrays[0][:1]), tf.Tensor)
    assert ModelOutputs(1).features == {}

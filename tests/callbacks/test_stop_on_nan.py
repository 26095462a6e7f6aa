"""Training that diverges ends with the batch and the term that did it."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_kd
from keras_kd.callbacks import StopOnNaN

BATCH = 4
MARK = 100.0  # an input with which a model or a term goes wrong


class NanAtMark(layers.Layer):
    """Passes on what it is given, but NaN for examples that hold the mark."""

    def call(self, inputs):
        is_marked = ops.any(inputs >= MARK, axis=-1, keepdims=True)
        return ops.where(is_marked, np.nan, inputs)


class PenaltyAtMark(layers.Layer):
    """Passes on what it is given, with an infinite regularisation loss at the mark."""

    def call(self, inputs):
        self.add_loss(ops.where(ops.max(inputs) >= MARK, np.inf, 0.5))
        return ops.minimum(inputs, 1.0)


def model(*first):
    return keras.Sequential([keras.Input((3,)), *first, layers.Dense(2)])


def data(number, marked=None):
    """Examples and one-hot labels; the mark in one batch, counted from 1."""
    x = np.random.default_rng(0).uniform(size=(BATCH * number, 3)).astype("float32")
    if marked is not None:
        x[BATCH * (marked - 1) + 1, 2] = MARK
    return x, np.eye(2, dtype="float32")[(x[:, 0] > 0.5).astype(int)]


def fit(teacher, student, x, y, *, loss=None, optimizer="sgd", steps=1, **kwargs):
    distiller = keras_kd.Distiller(teacher, student, alpha=0.5)
    distiller.compile(optimizer, loss, steps_per_execution=steps)
    arguments = {"batch_size": BATCH, "shuffle": False, "verbose": 0, **kwargs}
    arguments.setdefault("callbacks", [StopOnNaN()])
    return distiller.fit(x, y, **arguments)


def endless():
    """An optimizer whose first step makes every weight infinite or NaN."""
    return keras.optimizers.SGD(float("inf"))


def message(*args, **kwargs):
    with pytest.raises(ValueError, match="StopOnNaN") as caught:
        fit(*args, **kwargs)
    return str(caught.value)


def test_distillation_loss_is_named():
    said = message(model(NanAtMark()), model(), *data(5, marked=3))
    assert "loss=nan in epoch 1, batch 3, soft_target_loss=nan" in said
    assert "student_loss finite" in said
    assert "that term alone" in said


def test_loss_on_labels_is_named():
    x, y = data(5)
    y[2 * BATCH, 0] = np.inf
    loss = keras.losses.MeanSquaredError()
    said = message(model(), model(), x, y, loss=loss)
    assert "loss=inf in epoch 1, batch 3, student_loss=inf" in said
    assert "logit_regression_loss finite" in said


def test_what_is_not_logged_is_told_apart():
    said = message(model(), model(PenaltyAtMark()), *data(5, marked=4))
    assert "epoch 1, batch 4, soft_target_loss and student_loss finite" in said
    assert "regularisation" in said


def test_a_step_that_spoils_the_weights_shows_in_the_next_batch():
    said = message(model(), model(), *data(5), optimizer=endless())
    assert "epoch 1, batch 2, soft_target_loss=nan, student_loss=nan" in said
    assert "the step before made the weights so" in said


def test_the_right_epoch_is_named():
    x, y = data(5)

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if (self.model.optimizer.iterations.numpy()) == 12:
                kernel = self.model.student.layers[-1].kernel
                kernel.assign(np.nan * kernel)

    said = message(model(), model(), x, y, epochs=4, callbacks=[Spoil(), StopOnNaN()])
    assert "epoch 3, batch 3," in said


@pytest.mark.parametrize(
    ("marked", "batches"), [(3, "1 to 4"), (6, "5 to 8"), (10, "9 to 10")]
)
def test_several_steps_an_execution_give_a_range(marked, batches):
    x, y = data(10, marked=marked)
    said = message(model(NanAtMark()), model(), x, y, steps=4)
    assert f"one of the batches {batches}" in said
    assert "steps_per_execution=1" in said


def test_last_step_of_an_epoch_is_seen_in_the_weights():
    said = message(model(), model(), *data(1), optimizer=endless())
    assert "finite weights at the end of epoch 1, got NaN or inf in" in said
    assert "kernel" in said
    no_look = [StopOnNaN(check_weights=False)]
    history = fit(model(), model(), *data(1), optimizer=endless(), callbacks=no_look)
    assert math.isfinite(history.history["loss"][0])


def test_moving_statistics_are_seen_at_the_end_of_the_epoch():
    """In training BatchNormalization takes the batch's own statistics."""
    student = model(layers.BatchNormalization(name="norm"))
    spoil = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: student.get_layer("norm").moving_variance.assign(
            [np.inf] * 3
        )
    )
    said = message(model(), student, *data(3), callbacks=[spoil, StopOnNaN()])
    assert "norm/moving_variance" in said


def test_nothing_after_it_writes_an_epoch_that_diverged(tmp_path):
    path = tmp_path / "best.weights.h5"
    write = keras.callbacks.ModelCheckpoint(str(path), save_weights_only=True)
    message(
        model(),
        model(),
        *data(1),
        optimizer=endless(),
        callbacks=[StopOnNaN(), write],
    )
    assert not path.exists()


def test_it_changes_nothing_while_all_is_finite():
    teacher, student = model(), model()
    start = student.get_weights()
    expected = fit(teacher, student, *data(5), epochs=2, callbacks=[]).history
    student.set_weights(start)
    assert fit(teacher, student, *data(5), epochs=2).history == expected


def test_it_serves_every_keras_model():
    plain = model(NanAtMark())
    plain.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"loss=nan in epoch 1, batch 2\."):
        plain.fit(
            *data(4, marked=2),
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
            callbacks=[StopOnNaN()],
        )


def test_it_works_on_two_replicas(two_replicas):
    with two_replicas.scope():
        teacher, student = model(NanAtMark()), model()
        distiller = keras_kd.Distiller(teacher, student)
        distiller.compile("sgd")
    x, y = data(6, marked=4)  # in the half of the second replica
    with pytest.raises(ValueError, match="batch 2, soft_target_loss=nan"):
        distiller.fit(
            x,
            y,
            batch_size=2 * BATCH,
            shuffle=False,
            callbacks=[StopOnNaN()],
            verbose=0,
        )

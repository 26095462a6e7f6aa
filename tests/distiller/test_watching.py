"""Keras's own callbacks, and the user's, work on a Distiller as on every model."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.summary.summary_iterator import summary_iterator

import keras_kd

TERMS = ["loss", "soft_target_loss", "student_loss", "teacher_agreement"]
LOGGED = sorted([*TERMS, "accuracy"])


@pytest.fixture
def fit(teacher, student, arrays):
    """A function that trains on 5 batches an epoch; the history."""

    def run(*callbacks, epochs=2, **kwargs):
        distiller = keras_kd.Distiller(teacher, student, teacher_agreement=True)
        distiller.compile(**{"optimizer": "sgd", "metrics": ["accuracy"], **kwargs})
        return distiller.fit(
            *arrays,
            batch_size=64,
            validation_data=arrays,
            epochs=epochs,
            callbacks=list(callbacks),
            verbose=0,
        )

    return run


def scalars(folder):
    """What TensorBoard would plot: tag to a list of values by epoch."""
    found = {}
    for path in sorted(folder.glob("events.*")):
        for event in summary_iterator(str(path)):
            for value in event.summary.value:
                number = tf.make_ndarray(value.tensor)
                if number.ndim == 0 and number.dtype.kind == "f":
                    found.setdefault(value.tag, []).append(float(number))
    return found


class Notes(keras.callbacks.Callback):
    """What a user's own callback is told, and when."""

    def __init__(self):
        super().__init__()
        self.batches, self.test_batches, self.epochs = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append((batch, dict(logs)))

    def on_test_batch_end(self, batch, logs=None):
        self.test_batches.append((batch, dict(logs)))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(dict(logs))


def test_tensorboard_holds_every_value(fit, tmp_path):
    board = keras.callbacks.TensorBoard(str(tmp_path), write_graph=True)
    history = fit(board).history
    train, validation = (scalars(tmp_path / name) for name in ("train", "validation"))
    for name in LOGGED:
        np.testing.assert_allclose(train[f"epoch_{name}"], history[name], rtol=1e-6)
        expected = history[f"val_{name}"]
        np.testing.assert_allclose(validation[f"epoch_{name}"], expected, rtol=1e-6)


@pytest.mark.slow
def test_tensorboard_takes_each_batch_and_histograms(fit, tmp_path):
    board = keras.callbacks.TensorBoard(
        str(tmp_path), update_freq="batch", histogram_freq=1
    )
    fit(board)
    train = scalars(tmp_path / "train")
    for name in LOGGED:
        assert len(train[f"batch_{name}"]) == 2 * 5


def test_csv_logger_writes_a_column_for_each_value(fit, tmp_path):
    path = tmp_path / "log.csv"
    history = fit(keras.callbacks.CSVLogger(str(path))).history
    rows = list(csv.DictReader(path.open()))
    names = [*LOGGED, *(f"val_{name}" for name in LOGGED)]
    assert sorted(rows[0]) == sorted(["epoch", *names])
    for name in names:
        assert [float(row[name]) for row in rows] == pytest.approx(history[name])


@pytest.mark.parametrize(
    ("term", "mode"),
    [("val_soft_target_loss", "min"), ("val_teacher_agreement", "max")],
)
def test_early_stopping_watches_a_term_and_restores(fit, student, term, mode):
    """Keras knows a `mode` by itself for "loss" and the metrics of `compile` only."""
    kept = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.append(student.get_weights())
    )
    # With a step of this size and sign every epoch is worse than the one before.
    away = keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(-3e-2, 1, 1)
    )
    stop = keras.callbacks.EarlyStopping(
        term, patience=2, mode=mode, restore_best_weights=True
    )
    history = fit(keep, stop, epochs=9, optimizer=away).history
    values = history[term]
    best = int(np.argmax(values) if mode == "max" else np.argmin(values))
    assert len(values) == best + 3 < 9
    for a, b in zip(student.get_weights(), kept[best], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_learning_rate_is_reduced_on_a_plateau_of_a_term(fit):
    reduce = keras.callbacks.ReduceLROnPlateau(
        "val_soft_target_loss", factor=0.5, patience=1, min_delta=1e9, mode="min"
    )
    history = fit(reduce, epochs=4, optimizer=keras.optimizers.SGD(0.08)).history
    # The first epoch sets the best; none after it is better by so much.
    np.testing.assert_allclose(history["learning_rate"], [0.08, 0.08, 0.04, 0.02])


def test_learning_rate_scheduler_is_followed(fit):
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = fit(halve, optimizer=keras.optimizers.SGD(0.08)).history
    np.testing.assert_allclose(history["learning_rate"], [0.04, 0.02])


def test_own_callback_is_told_every_term_of_every_batch(fit):
    notes = Notes()
    history = fit(notes).history
    assert [batch for batch, _ in notes.batches] == 2 * list(range(5))
    assert [batch for batch, _ in notes.test_batches] == 2 * list(range(5))
    for _, logs in notes.batches + notes.test_batches:
        assert sorted(logs) == LOGGED
        assert all(isinstance(value, float) for value in logs.values())
    # Means over the epoch so far: the last batch has the epoch's.
    for epoch in (0, 1):
        _, logs = notes.batches[5 * epoch + 4]
        for name in LOGGED:
            assert logs[name] == pytest.approx(history[name][epoch])
            assert notes.epochs[epoch][name] == history[name][epoch]


@pytest.mark.slow
def test_several_steps_an_execution_are_told_once(fit):
    notes = Notes()
    fit(notes, epochs=1, steps_per_execution=2)
    assert [batch for batch, _ in notes.batches] == [1, 3, 5]
    assert all(sorted(logs) == LOGGED for _, logs in notes.batches)


def test_lambda_callback_can_stop_training(fit):
    stop = keras.callbacks.LambdaCallback()
    stop.on_epoch_end = lambda epoch, logs: setattr(
        stop.model, "stop_training", logs["soft_target_loss"] > 0
    )
    assert len(fit(stop, epochs=5).history["loss"]) == 1


@pytest.mark.parametrize("raise_error", [False, True])
def test_terminate_on_nan_ends_training(fit, raise_error):
    # Its first step makes every weight infinite or NaN; the second batch shows it.
    endless = keras.optimizers.SGD(float("inf"))
    notes, terminate = Notes(), keras.callbacks.TerminateOnNaN(raise_error)
    if raise_error:
        with pytest.raises(
            RuntimeError, match="NaN or Inf loss encountered at batch 1"
        ):
            fit(notes, terminate, optimizer=endless)
    else:
        fit(notes, terminate, optimizer=endless)
    assert [batch for batch, _ in notes.batches] == [0, 1]


@pytest.mark.slow
def test_students_that_teach_each_other_are_watched_too(make_model, arrays):
    both = keras_kd.MutualDistiller([make_model(6), make_model(7)])
    away = keras.optimizers.SGD(-3e-2)
    both.compile(away)
    stop = keras.callbacks.EarlyStopping(
        "val_student_2_peer_loss", patience=1, mode="min"
    )
    history = both.fit(
        *arrays, validation_data=arrays, epochs=9, callbacks=[stop], verbose=0
    ).history
    values = history["val_student_2_peer_loss"]
    assert len(values) == int(np.argmin(values)) + 2 < 9

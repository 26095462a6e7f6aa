"""A run that was killed goes on; the best epoch is kept."""

import shutil

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd.distiller import Checkpoint


def make(teacher, student):
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("adam", metrics=["accuracy"])
    return distiller


def fit(distiller, arrays, epochs, start, callbacks):
    distiller.fit(
        *arrays,
        validation_data=arrays,
        epochs=epochs,
        initial_epoch=start,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


@pytest.mark.slow
def test_interrupted_run_equals_an_uninterrupted_one(
    teacher, make_model, arrays, tmp_path
):
    student, other = make_model(6), make_model(6)
    other.set_weights(student.get_weights())
    whole = make(teacher, student)
    fit(whole, arrays, 4, 0, [])
    for target in (2, 4):  # a new process each time
        again = keras.models.clone_model(other)
        again.set_weights(other.get_weights())
        pieces = make(teacher, again)
        checkpoint = Checkpoint(tmp_path, {"seed": 1})
        start = checkpoint.resume(pieces)
        assert start == target - 2
        fit(pieces, arrays, target, start, [checkpoint])
    for a, b in zip(whole.get_weights(), pieces.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_best_epoch_is_restored(teacher, student, arrays, tmp_path):
    distiller = make(teacher, student)
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.set_model(distiller)
    for epoch, value in enumerate((0.5, 0.9, 0.7)):
        student.get_layer("scores").bias.assign(np.full(10, float(epoch)))
        checkpoint.on_epoch_end(epoch, {"val_accuracy": value})
    checkpoint.restore_best(distiller)
    assert checkpoint.best_epoch == 2
    np.testing.assert_array_equal(student.get_layer("scores").bias, np.full(10, 1.0))


@pytest.mark.slow
def test_half_written_epoch_is_passed_over(teacher, student, arrays, tmp_path):
    distiller = make(teacher, student)
    checkpoint = Checkpoint(tmp_path, {})
    fit(distiller, arrays, 1, 0, [checkpoint])
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "last.weights.h5").write_bytes(b"half")
    assert Checkpoint(tmp_path, {}).resume(distiller) == 1
    fit(distiller, arrays, 2, 1, [checkpoint])
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-000002"]


def test_other_settings_are_refused(teacher, student, arrays, tmp_path):
    distiller = make(teacher, student)
    fit(distiller, arrays, 1, 0, [Checkpoint(tmp_path, {"alpha": 0.1})])
    with pytest.raises(ValueError, match="choose another folder"):
        Checkpoint(tmp_path, {"alpha": 0.2}).resume(distiller)


@pytest.mark.slow
def test_full_disk_is_a_clear_error_and_keeps_the_last_epoch(
    teacher, student, arrays, tmp_path, monkeypatch
):
    distiller = make(teacher, student)
    fit(distiller, arrays, 1, 0, [Checkpoint(tmp_path, {})])
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(ValueError, match="Make room on that disk"):
        fit(distiller, arrays, 2, 1, [Checkpoint(tmp_path, {})])
    monkeypatch.undo()
    assert Checkpoint(tmp_path, {}).resume(distiller) == 1


@pytest.mark.slow
def test_history_has_the_epochs_before_a_kill_too(
    teacher, make_model, arrays, tmp_path
):
    logged = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda _, x: logged.append(x))
    for target in (1, 3):  # a new process each time
        distiller = make(teacher, make_model(6))
        checkpoint = Checkpoint(tmp_path, {})
        start = checkpoint.resume(distiller)
        fit(distiller, arrays, target, start, [record, checkpoint])
    assert [sorted(epoch) for epoch in checkpoint.history] == [sorted(logged[0])] * 3
    for ours, theirs in zip(checkpoint.history, logged, strict=True):
        assert ours == pytest.approx(theirs)


def test_refusal_shows_the_settings_that_differ_and_no_others(
    teacher, student, arrays, tmp_path
):
    distiller = make(teacher, student)
    fit(distiller, arrays, 1, 0, [Checkpoint(tmp_path, {"alpha": 0.1, "seed": 1})])
    with pytest.raises(ValueError, match=r"alpha=0\.1, got alpha=0\.2\.") as caught:
        Checkpoint(tmp_path, {"alpha": 0.2, "seed": 1}).resume(distiller)
    assert "seed" not in str(caught.value)


def test_monitor_that_is_not_logged(teacher, student, arrays, tmp_path):
    distiller = make(teacher, student)
    with pytest.raises(ValueError, match='Did you mean "val_accuracy"'):
        fit(distiller, arrays, 1, 0, [Checkpoint(tmp_path, {}, monitor="val_acc")])
    assert not list(tmp_path.glob("epoch-*"))


def test_without_monitor_the_last_epoch_is_the_best(teacher, student, tmp_path):
    distiller = make(teacher, student)
    checkpoint = Checkpoint(tmp_path, {}, monitor=None)
    checkpoint.set_model(distiller)
    for epoch in range(2):
        student.get_layer("scores").bias.assign(np.full(10, float(epoch)))
        checkpoint.on_epoch_end(epoch, {"loss": 0.5})
    checkpoint.restore_best(distiller)
    np.testing.assert_array_equal(student.get_layer("scores").bias, np.ones(10))

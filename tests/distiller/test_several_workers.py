"""Two workers, real processes on loopback, train like one."""

import json
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd
from keras_kd.distiller import worker_folder
from tests.distiller import worker_program
from tests.distiller.workers import ended, start

PROGRAM = Path(worker_program.__file__)


def killed(folder, victim, *scenarios):
    """The return codes, and what the survivor wrote, where one worker is killed."""
    (folder / "victim").write_text(str(victim))
    workers = start(PROGRAM, folder, *scenarios, "killed")
    said = [stderr for _, stderr in ended(workers)]
    (folder / "victim").unlink()
    codes = [worker.returncode for worker in workers]
    return codes[victim], codes[1 - victim], said[1 - victim]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def first_run(folder):
    """Two workers find all that there is to find; then the chief is killed."""
    return killed(folder, 0, "equal")


@pytest.fixture(scope="module")
def two(first_run, folder):
    """What two workers found."""
    return [dict(np.load(folder / f"{number}.npz")) for number in range(2)]


@pytest.fixture(scope="module")
def errors(two, folder):
    """What each of them said to what must not be."""
    return [json.loads((folder / f"{n}.json").read_text()) for n in range(2)]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """What one process finds, on one device."""
    folder = tmp_path_factory.mktemp("one")
    return worker_program.trained(tf.distribute.get_strategy(), folder)


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - {"saved"}:
        np.testing.assert_allclose(
            ours[name], theirs[name], rtol=1e-4, atol=1e-5, err_msg=name
        )


@pytest.mark.slow
def test_two_workers_find_what_one_process_finds(two, one):
    assert {"val_loss", "accuracy", "weight 3", "evaluated loss", "predicted"} < set(
        one
    )
    assert one["stored steps"] == 2 * 2 * 6
    for worker in two:
        assert_same(worker, one)


@pytest.mark.slow
def test_two_devices_find_what_one_finds(two_replicas, one, tmp_path):
    assert_same(worker_program.trained(two_replicas, tmp_path), one)


@pytest.mark.slow
def test_only_the_chief_keeps_what_it_saves(two, folder, one):
    assert [list(worker["saved"]) for worker in two] == [[True, True], [True, False]]
    assert [path.name for path in (folder / "saved").iterdir()] == ["best.weights.h5"]
    distiller = worker_program.make_distiller(tf.distribute.get_strategy())
    distiller.optimizer.build(distiller.trainable_variables)
    distiller.load_weights(folder / "saved" / "best.weights.h5")
    for number, weight in enumerate(distiller.get_weights()):
        theirs = one[f"weight {number}"]
        np.testing.assert_allclose(weight, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_keras_has_a_distiller_that_cannot(errors):
    """Where this fails Keras has learned it, and `OnSeveralWorkers` may go."""
    for said in errors:
        assert "unsupported type" in said["keras"]
        assert "PerReplica" in said["keras"]


@pytest.mark.slow
def test_workers_with_different_teachers_are_refused(errors):
    for said in errors:
        assert "got workers that differ in teacher. " in said["teacher"]


@pytest.mark.slow
def test_workers_without_a_seed_are_refused(errors):
    for said in errors:
        assert "got no seed. " in said["seed"]


def assert_reported(victim, survivor, said):
    assert victim == -signal.SIGKILL
    assert survivor not in (0, -signal.SIGKILL)
    assert "UnavailableError" in said
    assert "Start the program again on all workers" in said


def assert_goes_on(folder, one, epochs):
    """All workers, started again, end after so many like one that nobody killed."""
    workers = start(PROGRAM, folder, "killed")
    said = ended(workers)
    assert [worker.returncode for worker in workers] == [0, 0], said
    for number in range(2):
        resumed = dict(np.load(folder / f"{number}-resumed.npz"))
        last = one["loss"][-epochs:]
        np.testing.assert_allclose(resumed.pop("loss"), last, rtol=1e-4)
        for place, weight in enumerate(resumed.values()):
            theirs = one[f"weight {place}"]
            np.testing.assert_allclose(weight, theirs, rtol=1e-4, atol=1e-5)
    assert not (folder / "backup").exists()


@pytest.mark.slow
def test_killed_chief_is_reported_and_the_run_goes_on(first_run, folder, one):
    assert_reported(*first_run)
    assert_goes_on(folder, one, epochs=2)


@pytest.mark.release
@pytest.mark.parametrize("victim", [0, 1])
def test_worker_killed_twice_is_reported_and_the_run_goes_on(tmp_path, victim, one):
    """In the second epoch, and, when it has gone on from there, in the third."""
    for _ in range(2):
        assert_reported(*killed(tmp_path, victim))
    assert_goes_on(tmp_path, one, epochs=1)


@pytest.mark.slow
def test_replica_without_examples_is_refused_where_statistics_need_them(two_replicas):
    with two_replicas.scope():
        teacher = worker_program.classifier(8)
        stack = [keras.Input((8, 8, 1)), keras.layers.Flatten()]
        last = [keras.layers.BatchNormalization(), keras.layers.Dense(10)]
        student = keras.Sequential([*stack, *last])
        distiller = keras_kd.Distiller(teacher, student)
        distiller.compile("adam")
    with pytest.raises(tf.errors.InvalidArgumentError, match="drop_remainder=True"):
        worker_program.fit(distiller)


@pytest.mark.slow
def test_steps_are_counted_where_the_number_of_batches_is_not_known(
    teacher, student, arrays
):
    data = tf.data.Dataset.from_tensor_slices(arrays).batch(64)
    data = data.filter(lambda x, y: True)
    counts = []
    for model in (keras_kd.Distiller(teacher, student), teacher):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss)
        model.fit(data, epochs=3, verbose=0)
        counts.append(int(model.optimizer.iterations))
    ours, theirs = counts
    assert ours == 3 * 5
    assert theirs > ours  # Keras's own; where this fails, it has learned it


def test_one_worker_writes_where_it_is_told(two_replicas, tmp_path):
    assert worker_folder(two_replicas, tmp_path) == tmp_path

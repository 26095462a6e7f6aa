"""Helped and hurt are counted class by class, for every kind of labels and data."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd.callbacks import ClassRow, ClassTable, PerClassComparison
from tests.distiller.test_data_kinds import Batches, generator


def counted(truth, teacher, student, num_classes):
    """Both right, student alone, teacher alone, none; one decision after the other."""
    table = np.zeros((num_classes, 4), int)
    for true, t, s in zip(truth.ravel(), teacher.ravel(), student.ravel(), strict=True):
        table[true, [[3, 2], [1, 0]][int(s == true)][int(t == true)]] += 1
    return table.tolist()


def rows(table):
    return [[r.both_right, r.helped, r.hurt, r.both_wrong] for r in table.rows]


def compared(teacher, student, x, y, data=None, *, loss=None, fit=None, **kwargs):
    """The callback after training on `x`, `y`."""
    distiller = keras_kd.Distiller(teacher, student, alpha=0.5)
    distiller.compile(keras.optimizers.SGD(0.05), loss)
    comparison = PerClassComparison((x, y) if data is None else data, **kwargs)
    callbacks = {"callbacks": [comparison]}
    distiller.fit(x, y, verbose=0, **{**callbacks, **(fit or {})})
    return comparison


def expected_of(teacher, student, x, y):
    chosen = [m.predict(x, verbose=0).argmax(-1) for m in (teacher, student)]
    return counted(y, *chosen, num_classes=10)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_counts_equal_those_of_predict(make_model, arrays, activation):
    teacher, student = make_model(12, activation), make_model(6, activation)
    x, y = arrays
    table = compared(teacher, student, x, y, batch_size=50).table
    assert rows(table) == expected_of(teacher, student, x, y)
    assert table.total.examples == 320
    truth = y == 3
    for model, accuracy in (
        (teacher, table.rows[3].teacher_accuracy),
        (student, table.rows[3].student_accuracy),
    ):
        chosen = model.predict(x, verbose=0).argmax(-1)
        assert accuracy == pytest.approx((chosen[truth] == 3).mean())


@pytest.mark.slow
def test_every_container_and_form_of_labels_gives_the_same(teacher, student, arrays):
    x, y = arrays
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(keras.optimizers.SGD(0.0))
    expected = expected_of(teacher, student, x, y)
    one_hot, dataset = np.eye(10)[y], tf.data.Dataset.from_tensor_slices((x, y))
    for data in (
        (x, y),
        [x, y[:, None]],
        (x, one_hot),
        (x, y, np.zeros(len(x))),
        dataset.batch(50),
        Batches(x, y),
    ):
        comparison = PerClassComparison(data)
        distiller.fit(x[:32], y[:32], verbose=0, callbacks=[comparison])
        assert rows(comparison.table) == expected


@pytest.mark.slow
def test_an_ensemble_is_a_teacher_too(make_model, student, arrays):
    x, y = arrays
    members = [make_model(6, "softmax"), make_model(7, "softmax")]
    comparison = compared(members, student, x, y)
    mean = np.mean([m.predict(x, verbose=0) for m in members], axis=0)
    chosen = mean.argmax(-1), student.predict(x, verbose=0).argmax(-1)
    assert rows(comparison.table) == counted(y, *chosen, num_classes=10)


def small(units, activation=None):
    return keras.Sequential([keras.Input((4,)), layers.Dense(units, activation)])


def test_one_unit_has_the_classes_no_and_yes():
    numbers = np.random.default_rng(0)
    x, y = numbers.normal(size=(80, 4)), numbers.integers(0, 2, (80, 1))
    teacher, student = small(1, "sigmoid"), small(1)
    table = compared(teacher, student, x, y).table
    yes = [teacher.predict(x, verbose=0) > 0.5, student.predict(x, verbose=0) > 0]
    assert rows(table) == counted(y, *(d.astype(int) for d in yes), num_classes=2)


def test_labels_that_do_not_exclude_each_other_are_decided_one_by_one():
    numbers = np.random.default_rng(1)
    x, y = numbers.normal(size=(60, 4)), numbers.integers(0, 2, (60, 3))
    teacher, student = small(3, "sigmoid"), small(3, "sigmoid")
    table = compared(teacher, student, x, y).table
    right = [(m.predict(x, verbose=0) > 0.5) == y for m in (teacher, student)]
    t, s = right
    outcomes = [t & s, ~t & s, t & ~s, ~t & ~s]
    assert rows(table) == np.stack([o.sum(0) for o in outcomes], 1).tolist()


def test_ignored_pixels_do_not_count():
    numbers = np.random.default_rng(2)
    x = numbers.normal(size=(12, 5, 5, 2)).astype("float32")
    y = numbers.integers(0, 3, (12, 5, 5))
    y[numbers.uniform(size=y.shape) < 0.3] = 255
    teacher, student = (
        keras.Sequential([keras.Input((5, 5, 2)), layers.Conv2D(3, 1)])
        for _ in range(2)
    )
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=255
    )
    table = compared(teacher, student, x, y, loss=loss).table
    chosen = [m.predict(x, verbose=0).argmax(-1)[y != 255] for m in (teacher, student)]
    assert rows(table) == counted(y[y != 255], *chosen, num_classes=3)


@pytest.mark.slow
def test_one_of_several_outputs_is_compared():
    def network():
        inputs = keras.Input((4,))
        outputs = {"a": layers.Dense(3)(inputs), "b": layers.Dense(2)(inputs)}
        return keras.Model(inputs, outputs)

    numbers = np.random.default_rng(3)
    x = numbers.normal(size=(40, 4))
    y = {"a": numbers.integers(0, 3, 40), "b": numbers.integers(0, 2, 40)}
    teacher, student = network(), network()
    table = compared(teacher, student, x, y, output="b").table
    chosen = [m.predict(x, verbose=0)["b"].argmax(-1) for m in (teacher, student)]
    assert rows(table) == counted(y["b"], *chosen, num_classes=2)
    with pytest.raises(ValueError, match="`output` to be one of 'a', 'b'"):
        compared(teacher, student, x, y)


def test_each_epoch_is_logged_for_the_callbacks_that_follow(
    teacher, student, arrays, tmp_path
):
    x, y = arrays
    before, after = tmp_path / "before.csv", tmp_path / "after.csv"
    comparison = PerClassComparison((x, y), every_epoch=True)
    loggers = [keras.callbacks.CSVLogger(str(path)) for path in (before, after)]
    fit = {"callbacks": [loggers[0], comparison, loggers[1]], "epochs": 2}
    compared(teacher, student, x, y, fit=fit)
    assert "val_hurt" not in before.read_text()
    last = list(csv.DictReader(after.open()))[-1]
    total = np.sum(expected_of(teacher, student, x, y), axis=0)
    assert float(last["val_helped"]) == pytest.approx(total[1] / 320)
    assert float(last["val_hurt"]) == pytest.approx(total[2] / 320)


@pytest.mark.slow
def test_table_is_of_the_weights_that_are_restored(teacher, student, arrays):
    x, y = arrays
    best = keras.callbacks.EarlyStopping(
        "loss", mode="max", patience=1, restore_best_weights=True
    )
    comparison = PerClassComparison((x, y), every_epoch=True)
    fit = {"callbacks": [best, comparison], "epochs": 4}
    compared(teacher, student, x, y, fit=fit)
    assert best.best_epoch == 0
    assert best.stopped_epoch > 0
    assert comparison.table.total.examples == 320
    fresh = PerClassComparison((x, y))
    frozen = keras_kd.Distiller(teacher, student)
    frozen.compile(keras.optimizers.SGD(0.0))
    frozen.fit(x[:32], y[:32], verbose=0, callbacks=[fresh])
    assert fresh.table == comparison.table


@pytest.mark.slow
def test_it_works_on_two_replicas(teacher, make_model, arrays, two_replicas):
    x, y = arrays
    with two_replicas.scope():
        own, student = make_model(32), make_model(6)
        own.set_weights(teacher.get_weights())
        distiller = keras_kd.Distiller(own, student)
        distiller.compile("sgd")
    comparison = PerClassComparison((x, y))
    distiller.fit(x, y, verbose=0, callbacks=[comparison])
    assert rows(comparison.table) == expected_of(teacher, student, x, y)


def wrong_data(x, y):
    late = np.where(np.arange(len(y)) == len(y) - 1, 10, y)
    dataset = tf.data.Dataset.from_tensor_slices
    return {
        "data with labels": (x,),
        "data with labels, got data without": (x, None),
        "labels from 0 to 9": (x, late),
        "labels from 0 to 9 for 10 classes": dataset((x, late)).batch(50),
        "data, got none": dataset((x, y)).batch(50).take(0),
        "data that end": dataset((x, y)).batch(50).repeat(),
        "arrays .x, y., a tf.data.Dataset": generator(x, y),
        "labels, got|with labels": dataset(x).batch(50),
    }


@pytest.mark.slow
def test_wrong_data_are_found_before_the_first_step(teacher, student, arrays):
    x, y = arrays
    start = student.get_weights()
    for words, data in wrong_data(x, y).items():
        with pytest.raises(ValueError, match=f"PerClassComparison.*({words})"):
            compared(teacher, student, x, y, data)
    with pytest.raises(ValueError, match="`class_names` for 10 classes, got 2 names"):
        compared(teacher, student, x, y, class_names=["a", "b"])
    with pytest.raises(ValueError, match="no `output` for a student that has one"):
        compared(teacher, student, x, y, output="a")
    for a, b in zip(start, student.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_plain_model_is_refused(student, arrays):
    student.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="a Distiller, whose teacher it compares"):
        student.fit(*arrays, verbose=0, callbacks=[PerClassComparison(arrays)])


def test_table_names_the_classes(teacher, student, arrays):
    names = [f"class {n}" for n in range(10)]
    table = compared(teacher, student, *arrays, class_names=names).table
    lines = str(table).splitlines()
    assert [line[:7] for line in lines[1:11]] == names
    assert " ".join(lines[0].split()) == (
        "class examples teacher student helped hurt both wrong"
    )
    assert len({len(line) for line in lines}) == 1


def test_a_class_without_examples_has_no_accuracy():
    empty = ClassRow("a", 0, 0, 0, 0)
    assert np.isnan([empty.teacher_accuracy, empty.student_accuracy]).all()
    line = str(ClassTable((empty,))).splitlines()[1]
    assert line.split() == ["a", "0", "nan", "nan", "0", "0", "0"]

"""Files of every kind: what is in them, and how training goes on from them."""

import io
import math
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd
from keras_kd.losses import HintDistillation, SoftTargetDistillation
from keras_kd.teachers import MeanTeacher
from tests.distiller.test_training import clone

PROGRAM = Path(__file__).parent / "reload_program.py"
FALLING = keras.optimizers.schedules.PolynomialDecay


@pytest.fixture
def teacher(make_model):
    return make_model(32)


def hint(teacher, student):
    """A distiller whose losses own weights, with all that changes with the step."""
    losses = [
        SoftTargetDistillation(FALLING(6.0, 40, 2.0)),
        HintDistillation("conv", "conv"),
    ]
    weights = [1.0, FALLING(2.0, 40, 0.5)]
    return compiled(
        keras_kd.Distiller(
            teacher, student, losses, weights, alpha=FALLING(0.9, 40, 0.1)
        )
    )


def mean_teacher(student):
    return compiled(keras_kd.Distiller(MeanTeacher(student, 0.9), student, alpha=0.5))


def two_heads(width):
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(width, activation="relu")(layers.Flatten()(inputs))
    outputs = {"a": layers.Dense(10)(x), "b": layers.Dense(4, activation="softmax")(x)}
    return keras.Model(inputs, outputs)


def compiled(distiller):
    rate = FALLING(0.01, 40, 0.001)
    distiller.compile(keras.optimizers.Adam(rate), jit_compile=False)
    return distiller


def fit(distiller, x, y, epochs=1, **options):
    return distiller.fit(x, y, epochs=epochs, shuffle=False, verbose=0, **options)


def state(distiller):
    values = [*distiller.variables, *distiller.optimizer.variables]
    return [value.numpy() for value in values]


def assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_fresh_process_goes_on_exactly(teacher, make_model, arrays, tmp_path):
    x, y = arrays
    heads = two_heads(32), two_heads(8)
    makes = {
        "hint": (hint(teacher, make_model(6)), teacher, y),
        "mean": (mean_teacher(make_model(6)), None, y),
        "outputs": (
            compiled(keras_kd.Distiller(*heads, alpha=0.5)),
            heads[0],
            {"a": y, "b": y % 4},
        ),
    }
    np.savez(tmp_path / "data.npz", x=x, y=y)
    for name, (distiller, its_teacher, labels) in makes.items():
        fit(distiller, x, labels)
        distiller.save(tmp_path / f"{name}.keras")
        if its_teacher is not None:
            its_teacher.save(tmp_path / f"{name}.teacher.keras")
        fit(distiller, x, labels, epochs=2)
    subprocess.run([sys.executable, PROGRAM, tmp_path], check=True, timeout=240)
    for name, (distiller, _, _) in makes.items():
        assert distiller.optimizer.iterations == 30
        with np.load(tmp_path / f"{name}.npz") as found:
            theirs = [found[f"arr_{number}"] for number in range(len(found.files))]
        for a, b in zip(state(distiller), theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("hint", "{epoch}.weights.h5"),
        pytest.param("hint", "{epoch}.keras", marks=pytest.mark.release),
        pytest.param("mean_teacher", "{epoch}.weights.h5", marks=pytest.mark.release),
        pytest.param("mean_teacher", "{epoch}.keras", marks=pytest.mark.release),
    ],
)
def test_training_goes_on_from_any_checkpoint(
    teacher, make_model, arrays, tmp_path, kind, name
):
    weights_only = name.endswith("h5")
    callback = keras.callbacks.ModelCheckpoint(
        tmp_path / name, save_weights_only=weights_only
    )

    def make(student):
        return hint(teacher, student) if kind == "hint" else mean_teacher(student)

    student = make_model(6)
    start = clone(student)
    whole = make(student)
    fit(whole, *arrays, epochs=3, callbacks=[callback])
    assert len(list(tmp_path.iterdir())) == 3
    if weights_only:
        again = make(start)
        again.optimizer.build(again.trainable_variables)
        again.load_weights(tmp_path / "2.weights.h5")
    else:
        again = keras.models.load_model(tmp_path / "2.keras")
        if kind == "hint":
            again.attach_teacher(teacher)
    again.fit(*arrays, initial_epoch=2, epochs=3, shuffle=False, verbose=0)
    assert_equal(state(whole), state(again))
    if kind == "mean_teacher":
        ours, theirs = (each.teacher.model.get_weights() for each in (whole, again))
        assert_equal(ours, theirs)


def numbers_in(file):
    """How many numbers an HDF5 file holds."""
    sizes = []
    with h5py.File(file) as opened:
        opened.visititems(
            lambda _, item: sizes.append(math.prod(getattr(item, "shape", (0,))))
        )
    return sum(sizes)


@pytest.mark.slow
def test_a_file_holds_student_losses_and_optimizer_and_nothing_else(
    make_model, arrays, tmp_path
):
    teacher, student = make_model(500), make_model(6)
    distiller = hint(teacher, student)
    fit(distiller, *arrays)
    distiller.save(tmp_path / "d.keras")
    distiller.save_weights(tmp_path / "d.weights.h5")
    (loss,) = (each for each in distiller.distillation_losses if each.weights)
    trained = student.count_params() + sum(
        math.prod(weight.shape) for weight in loss.trainable_variables
    )
    # Adam keeps two numbers for each that is trained, and the steps.
    expected = student.count_params() + loss.count_params() + 2 * trained + 1
    with zipfile.ZipFile(tmp_path / "d.keras") as file:
        inside = io.BytesIO(file.read("model.weights.h5"))
    assert numbers_in(inside) == expected
    assert numbers_in(tmp_path / "d.weights.h5") == expected
    assert teacher.count_params() > 20 * expected


@pytest.mark.slow
def test_a_loaded_distiller_saved_again_still_knows_its_teacher(
    teacher, make_model, arrays, tmp_path
):
    distiller = hint(teacher, make_model(6))
    fit(distiller, *arrays)
    distiller.save(tmp_path / "one.keras")
    keras.models.load_model(tmp_path / "one.keras").save(tmp_path / "two.keras")
    loaded = keras.models.load_model(tmp_path / "two.keras")
    with pytest.raises(ValueError, match="fingerprint"):
        loaded.attach_teacher(make_model(32))
    loaded.attach_teacher(teacher)
    for each in (distiller, loaded):
        fit(each, *arrays)
    assert_equal(state(distiller), state(loaded))


def test_a_teacher_that_differs_in_one_weight_is_refused(
    teacher, make_model, arrays, tmp_path
):
    hint(teacher, make_model(6)).save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    other = clone(teacher)
    bias = other.layers[-1].bias
    bias.assign(bias + np.eye(10, dtype="float32")[3] * 1e-6)
    with pytest.raises(ValueError, match="fingerprint"):
        loaded.attach_teacher(other)
    assert loaded.teacher is None
    loaded.attach_teacher(clone(teacher))


@pytest.mark.slow
def test_a_list_of_teachers_must_come_back_whole(make_model, arrays, tmp_path):
    teachers = [make_model(8), make_model(16)]
    distiller = compiled(keras_kd.Distiller(teachers, make_model(6)))
    fit(distiller, *arrays)
    distiller.save(tmp_path / "d.keras")
    for wrong in (teachers[0], [*teachers, teachers[0]], [teachers[0]] * 2):
        loaded = keras.models.load_model(tmp_path / "d.keras")
        with pytest.raises(ValueError, match="fingerprint"):
            loaded.attach_teacher(wrong)
    loaded.attach_teacher(teachers)
    for each in (distiller, loaded):
        fit(each, *arrays)
    assert_equal(state(distiller), state(loaded))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["distiller", "student"])
def test_export_is_the_student_alone(teacher, make_model, arrays, tmp_path, way):
    student = make_model(6)
    distiller = hint(teacher, student)
    fit(distiller, *arrays)
    exporting = distiller if way == "distiller" else distiller.student
    exporting.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    expected = student.predict(arrays[0], verbose=0)
    np.testing.assert_allclose(served.serve(arrays[0]), expected, rtol=1e-5, atol=1e-5)
    assert sum(math.prod(v.shape) for v in served.variables) == student.count_params()


@pytest.mark.slow
def test_a_loaded_distiller_exports_without_its_teacher(
    teacher, make_model, arrays, tmp_path
):
    distiller = hint(teacher, make_model(6))
    fit(distiller, *arrays)
    distiller.save(tmp_path / "d.keras")
    keras.models.load_model(tmp_path / "d.keras").export(
        tmp_path / "served", verbose=False
    )
    served = tf.saved_model.load(tmp_path / "served")
    expected = distiller.predict(arrays[0], verbose=0)
    np.testing.assert_allclose(served.serve(arrays[0]), expected, rtol=1e-5, atol=1e-5)

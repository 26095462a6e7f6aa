"""A distiller with several teachers: files, options and errors."""

import keras
import numpy as np
import pytest
from scipy.special import softmax

import keras_kd
from keras_kd.losses import HintDistillation
from keras_kd.teachers import FrozenTeacher


@pytest.fixture
def teachers(make_model):
    return [make_model(8), make_model(16), make_model(8)]


def trained(teacher, student, x, y):
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(x, y, verbose=0)
    return distiller


@pytest.mark.slow
def test_saved_distiller_takes_its_ensemble_back(teachers, student, arrays, tmp_path):
    x, y = arrays
    distiller = trained(teachers, student, x, y)
    before = distiller.evaluate(x, y, return_dict=True, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    with pytest.raises(ValueError, match="expected the teacher with fingerprint"):
        loaded.attach_teacher(teachers[:2])
    with pytest.raises(ValueError, match="expected the teacher with fingerprint"):
        loaded.attach_teacher(teachers[0])
    loaded.attach_teacher(teachers)
    after = loaded.evaluate(x, y, return_dict=True, verbose=0)
    assert after == pytest.approx(before, rel=1e-6)
    size = (tmp_path / "distiller.keras").stat().st_size
    student.save(tmp_path / "student.keras")
    members = sum(model.count_params() for model in teachers)
    assert size < (tmp_path / "student.keras").stat().st_size * 2 + 4 * members


def test_members_are_neither_trained_nor_tracked(teachers, student, arrays):
    before = [model.get_weights() for model in teachers]
    distiller = trained(teachers, student, *arrays)
    after = [model.get_weights() for model in teachers]
    for a, b in zip(keras.tree.flatten(before), keras.tree.flatten(after), strict=True):
        np.testing.assert_array_equal(a, b)
    tracked = {id(variable) for variable in distiller.variables}
    for model in teachers:
        assert not tracked & {id(variable) for variable in model.variables}


def test_preprocessing_and_from_logits_apply_to_each_model(make_model, student, arrays):
    x = arrays[0][:4]
    hidden = make_model(8, lambda z: keras.ops.softmax(z))
    plain = make_model(8)
    teacher = keras_kd.Distiller(
        [plain, hidden],
        student,
        teacher_preprocessing=lambda x: x / 4,
        from_logits=False,
    ).teacher
    p = (softmax(plain(x / 4), axis=-1) + np.asarray(hidden(x / 4))) / 2
    np.testing.assert_allclose(softmax(teacher(x).logits, axis=-1), p, rtol=1e-5)


def test_preprocessing_beside_a_finished_teacher_is_an_error(make_model, student):
    models = [make_model(8), FrozenTeacher(make_model(8))]
    with pytest.raises(ValueError, match="Give the preprocessing to the teacher its"):
        keras_kd.Distiller(models, student, teacher_preprocessing=lambda x: x)


def test_losses_on_layers_are_an_error(teachers, student):
    with pytest.raises(ValueError, match="Layers of different models have no mean"):
        keras_kd.Distiller(teachers, student, HintDistillation("conv", "conv"))


def test_a_member_that_does_not_fit_is_named(teachers, student):
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(10)])
    with pytest.raises(ValueError, match="member 4 of the ensemble: expected the teac"):
        keras_kd.Distiller([*teachers, small], student)

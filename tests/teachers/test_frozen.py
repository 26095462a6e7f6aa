"""One Keras model as a teacher."""

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd.teachers import FrozenTeacher


def test_answers_equal_the_model_in_inference_mode(make_model, arrays):
    model = make_model(8, batch_norm=True)
    x = arrays[0]
    before = model.get_weights()
    answer = FrozenTeacher(model)(x, layers=["hidden"])
    np.testing.assert_array_equal(answer.logits, model(x, training=False))
    assert answer.features["hidden"].shape == (len(x), 8)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fingerprint_depends_on_weights_and_not_on_names(make_model, tmp_path):
    model = make_model(8)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert FrozenTeacher(model).fingerprint == FrozenTeacher(loaded).fingerprint
    loaded.get_layer("hidden").bias.assign(np.full(8, 1e-6))
    assert FrozenTeacher(model).fingerprint != FrozenTeacher(loaded).fingerprint


def test_fingerprint_is_the_same_when_a_layer_is_named_like_an_option():
    """Keras names them "activation" and "softmax" first, "activation_1" later."""

    def model():
        stack = [keras.layers.Activation("softmax"), keras.layers.Softmax()]
        dense = keras.layers.Dense(3, activation="softmax", kernel_initializer="ones")
        return keras.Sequential([keras.Input((4,)), dense, *stack])

    keras.utils.clear_session()
    assert FrozenTeacher(model()).fingerprint == FrozenTeacher(model()).fingerprint


def test_fingerprint_depends_on_the_architecture():
    def model(activation):
        dense = keras.layers.Dense(3, activation=activation, kernel_initializer="ones")
        return keras.Sequential([keras.Input((4,)), dense])

    one, same, other = (
        FrozenTeacher(model(name)).fingerprint for name in ("relu", "relu", "tanh")
    )
    assert one == same
    assert one != other


def test_layer_shapes_are_those_for_the_students_inputs(make_model):
    halved = keras.layers.AveragePooling2D(2)
    teacher = FrozenTeacher(make_model(8), preprocessing=halved)
    shapes = teacher.layer_shapes(keras.KerasTensor((None, 16, 16, 1)))
    assert shapes["conv"] == (None, 6, 6, 4)
    assert shapes["hidden"] == (None, 8)


CHOSEN = {
    "some": [4, 0, 7],
    "added": [[0, 1, 2], [7], [3, 9]],
}


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("name", CHOSEN)
def test_chosen_classes_are_those_of_numpy(make_model, arrays, name, activation):
    model = make_model(8, activation)
    x = arrays[0][:16]
    probabilities = model.predict(x, verbose=0)
    if activation is None:
        probabilities = np.exp(probabilities - probabilities.max(-1, keepdims=True))
        probabilities /= probabilities.sum(-1, keepdims=True)
    groups = [np.atleast_1d(group) for group in CHOSEN[name]]
    expected = np.stack([probabilities[:, group].sum(-1) for group in groups], -1)
    expected /= expected.sum(-1, keepdims=True)
    teacher = FrozenTeacher(model, classes=CHOSEN[name])
    assert teacher.num_classes == 3
    found = keras.ops.softmax(teacher(x).logits)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert teacher.fingerprint != FrozenTeacher(model).fingerprint


def test_a_student_of_fewer_classes_learns_the_chosen_ones(make_model, arrays):
    student = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    teacher = FrozenTeacher(make_model(8), classes=[[0, 1, 2], [7], [3, 9]])
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("adam")
    distiller.fit(arrays[0], arrays[1] % 3, verbose=0)


@pytest.mark.parametrize(
    "classes", [[10], [-1], [], [[]], [1, 1], [[1, 2], [2]], ["cat"], [1.5]], ids=str
)
def test_classes_that_the_model_has_not_are_refused(make_model, classes):
    with pytest.raises(ValueError, match="0 to 9, each once"):
        FrozenTeacher(make_model(8), classes=classes)


def test_labels_that_do_not_exclude_each_other_have_no_sum(make_model):
    FrozenTeacher(make_model(8, "sigmoid"), classes=[3, 1])
    with pytest.raises(ValueError, match="have no sum"):
        FrozenTeacher(make_model(8, "sigmoid"), classes=[[3, 1]])

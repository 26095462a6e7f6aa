"""One Keras model as a teacher."""

import keras
import numpy as np

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

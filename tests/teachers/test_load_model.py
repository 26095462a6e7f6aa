"""Models that Keras 2 trained and saved teach as they did there."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

import keras_kd
from keras_kd.teachers import FrozenTeacher, SavedModelTeacher, load_model

# Of each kind of layer that Keras 3 cannot make of what Keras 2 wrote.
NETS = {
    "depthwise": (
        (8, 8, 3),
        lambda: [layers.DepthwiseConv2D(3), layers.GlobalAveragePooling2D()],
    ),
    "depthwise 1D": ((8, 3), lambda: [layers.DepthwiseConv1D(3), layers.Flatten()]),
    "transposed and separable": (
        (8, 8, 3),
        lambda: [
            layers.Conv2DTranspose(4, 3),
            layers.SeparableConv2D(4, 3),
            layers.BatchNormalization(),
            layers.Flatten(),
        ],
    ),
    "separable 1D": (
        (8, 3),
        lambda: [
            layers.SeparableConv1D(4, 3),
            layers.Conv1DTranspose(2, 3),
            layers.Flatten(),
        ],
    ),
    "recurrent": (
        (5, 3),
        lambda: [
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3, return_sequences=True),
            layers.SimpleRNN(3),
        ],
    ),
}


def trained(name):
    """A compiled model of Keras 2 after a step, and inputs."""
    shape, make = NETS[name]
    model = tf_keras.Sequential(
        [tf_keras.Input(shape), *make(), layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(8, *shape)).astype("float32")
    model.fit(x, np.arange(8) % 3, verbose=0)
    return model, x


@pytest.mark.quick_for("depthwise", "separable 1D")
@pytest.mark.parametrize("name", NETS)
def test_h5_file_answers_as_in_keras_2(name, tmp_path):
    model, x = trained(name)
    path = tmp_path / "teacher.h5"
    model.save(path)
    before = path.read_bytes()
    loaded = load_model(path)
    assert isinstance(loaded, keras.Model)
    kinds = {type(layer).__module__.split(".")[0] for layer in loaded.layers}
    assert kinds == {"keras"}
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
    )
    assert path.read_bytes() == before
    assert FrozenTeacher(loaded).head.activation == "softmax"


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_saved_model_with_its_optimizer_teaches(tmp_path, capfd):
    model, x = trained("depthwise")
    model.save(tmp_path / "teacher", save_format="tf")
    # What TensorFlow says of the optimizer is of no use to a teacher's owner.
    capfd.readouterr()
    teacher = SavedModelTeacher(tmp_path / "teacher", from_logits=False)
    answer = keras.ops.softmax(teacher(x).logits)
    np.testing.assert_allclose(answer, model.predict(x, verbose=0), atol=1e-5)
    assert "could not be found" not in capfd.readouterr().err
    student = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("adam")
    assert np.isfinite(distiller.fit(x, np.arange(8) % 3, verbose=0).history["loss"])


def test_a_saved_model_that_tensorflow_alone_does_not_load(tmp_path, monkeypatch):
    """As some versions of Keras 2 wrote them, with slots of an optimizer."""
    model, x = trained("depthwise")
    model.save(tmp_path / "teacher", save_format="tf")
    load, asked = tf.saved_model.load, []

    def as_without_keras_2(path):
        asked.append(path)
        if len(asked) == 1:
            raise AttributeError("'_UserObject' object has no attribute 'add_slot'")
        return load(path)

    monkeypatch.setattr(tf.saved_model, "load", as_without_keras_2)
    teacher = SavedModelTeacher(tmp_path / "teacher", from_logits=False)
    answer = keras.ops.softmax(teacher(x).logits)
    np.testing.assert_allclose(answer, model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["depthwise", "recurrent"])
def test_files_that_only_keras_2_reads_name_the_way(name, tmp_path):
    model, x = trained(name)
    path = tmp_path / "teacher.keras"
    model.save(path)
    with pytest.raises(ValueError, match=r"saved by Keras 2.*SavedModelTeacher"):
        load_model(path)
    # The way that the message names.
    tf_keras.models.load_model(path).export(tmp_path / "folder")
    teacher = SavedModelTeacher(tmp_path / "folder", from_logits=False)
    answer = keras.ops.softmax(teacher(x).logits)
    np.testing.assert_allclose(answer, model.predict(x, verbose=0), atol=1e-5)


def test_a_model_of_keras_2_as_teacher_names_the_way():
    model, _ = trained("depthwise")
    with pytest.raises(ValueError, match=r"Sequential of tf_keras.*export\(folder\)"):
        FrozenTeacher(model)


def test_what_is_no_model_file_is_told(tmp_path):
    (tmp_path / "text.keras").write_text("text")
    for path, words in (
        (tmp_path / "none.keras", "Check the path"),
        (tmp_path / "text.keras", "Save the model again"),
        (tmp_path, "SavedModelTeacher"),
    ):
        with pytest.raises(ValueError, match=words):
            load_model(path)

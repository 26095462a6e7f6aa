"""The caller's arrays are after each call what they were, on a read-only disk too."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd
from keras_kd.export import convert, quantization_aware, verify


@pytest.fixture
def images(tmp_path):
    """Images and labels in files that cannot be written to, and what they hold."""
    x = np.random.default_rng(0).uniform(0, 255, (32, 8, 8, 3)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(32) % 3)
    paths = tmp_path / "x.npy", tmp_path / "y.npy"
    return [np.load(path, mmap_mode="r") for path in paths], x


def model():
    stack = layers.Rescaling(1 / 127.5, -1), layers.Conv2D(4, 3), layers.Flatten()
    return keras.Sequential([keras.Input((8, 8, 3)), *stack, layers.Dense(3)])


def test_quantization_aware_training_leaves_arrays_as_they_were(images):
    (x, y), before = images
    writable = before.copy()
    student = quantization_aware(model())
    distiller = keras_kd.Distiller(
        model(),
        student,
        teacher_preprocessing=keras.applications.mobilenet_v2.preprocess_input,
    )
    distiller.compile("sgd")
    for data in (x, writable):
        distiller.fit(data, y, verbose=0)
        distiller.evaluate(data, y, verbose=0)
        np.testing.assert_array_equal(data, before)


@pytest.mark.slow
def test_convert_and_verify_leave_arrays_as_they_were(images, tmp_path):
    (x, y), before = images
    student, path = model(), tmp_path / "student.tflite"
    for data in (x, before.copy()):
        convert(
            student,
            path,
            precision="int8",
            calibration_data=data,
            normalization=(127.5, 127.5),
        )
        verify(path, student, (data, y))
        np.testing.assert_array_equal(data, before)

"""Probabilities that were rounded: one of 0 is half a step, not impossible."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from scipy.special import expit

from keras_kd.export import LiteRtModel
from keras_kd.outputs import Head, logits_of
from keras_kd.teachers import CallableTeacher, LiteRtTeacher
from tests.teachers.test_litert import write_tflite


def floored(probabilities, step):
    """What is left of rounded probabilities, by NumPy in float64."""
    probabilities = np.maximum(np.asarray(probabilities, "float64"), step / 2)
    return probabilities / probabilities.sum(axis=-1, keepdims=True)


def sure_classifier(activation):
    """A classifier of images whose probabilities are often below 1 / 256."""
    scores = keras.layers.Dense(10, activation, kernel_initializer="random_normal")
    image = [keras.Input((8, 8, 1)), keras.layers.Flatten(), scores]
    model = keras.Sequential(image)
    kernel, bias = model.get_weights()
    model.set_weights([30 * kernel, bias])
    return model


def answers_by_hand(path, raw):
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    [given], [answer] = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    outputs = []
    for one in raw:
        interpreter.set_tensor(given["index"], one[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(answer["index"])[0])
    return np.stack(outputs)


def test_raw_pixels_and_rounded_probabilities_of_an_integer_file(arrays, tmp_path):
    pixels = np.round(255 * arrays[0][:40]).astype("uint8")
    x = (pixels / 255).astype("float32")
    model = sure_classifier("softmax")
    path = tmp_path / "t.tflite"
    write_tflite(model, path, batch=1, calibration=x, dtype=tf.uint8)
    outputs = answers_by_hand(path, pixels)
    assert (outputs == 0).mean() > 0.3
    teacher = LiteRtTeacher(path, from_logits=False)
    logits = np.asarray(teacher(pixels).logits)
    expected = floored(outputs / 256, 1 / 256)
    np.testing.assert_allclose(logits, np.log(expected), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(teacher(x).logits, logits)
    np.testing.assert_allclose(LiteRtModel(path)(pixels), outputs / 256, atol=1e-6)


@pytest.mark.parametrize("numpy", [False, True])
def test_probabilities_of_two_decimals_have_the_resolution_that_is_told(numpy):
    rounded = np.array([[0.98, 0.02, 0.0], [1.0, 0.0, 0.0]], "float32")
    given = {"from_logits": False, "num_classes": 3, "fingerprint": "a"}
    teacher = CallableTeacher(
        lambda x: rounded if numpy else tf.constant(rounded),
        numpy=numpy,
        resolution=0.01,
        **given,
    )
    logits = np.asarray(teacher(np.zeros((2, 4), "float32")).logits)
    np.testing.assert_allclose(np.exp(logits), floored(rounded, 0.01), rtol=1e-5)
    other = CallableTeacher(lambda x: x, **given)
    assert teacher.fingerprint != other.fingerprint


def test_sigmoids_have_a_resolution_at_both_ends():
    logits = logits_of([[0.0, 0.5, 1.0]], Head("sigmoid"), resolution=0.01)
    np.testing.assert_allclose(
        expit(np.asarray(logits, "float64")), [[0.005, 0.5, 0.995]], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("dtype", "least", "rest"),
    [("float32", 1.2e-38, 2.0**-25), ("float16", 2.0**-25, 2.0**-12)],
)
def test_resolution_is_that_of_the_dtype_unless_it_is_told(dtype, least, rest):
    ends = np.array([[0.0, 1.0]], dtype)
    logits = np.asarray(logits_of(ends, Head("sigmoid")))
    np.testing.assert_allclose(logits, [[np.log(least), -np.log(rest)]], rtol=1e-4)
    logits = np.asarray(logits_of(ends, Head("softmax")))
    np.testing.assert_allclose(logits, [[np.log(least), 0.0]], rtol=1e-5)


@pytest.mark.parametrize("resolution", [0.0, -1.0, 2.0])
def test_a_resolution_outside_of_probabilities_is_an_error(resolution):
    with pytest.raises(ValueError, match="`resolution` to be a number"):
        CallableTeacher(
            lambda x: x,
            from_logits=False,
            num_classes=3,
            fingerprint="a",
            resolution=resolution,
        )

"""What a tensor of integers is given, and that no example sees the one before."""

import numpy as np
import pytest

from keras_kd.benchmark import write_golden
from keras_kd.export import LiteRtModel
from keras_kd.outputs.litert import quantise
from keras_kd.teachers import LiteRtTeacher
from tests.teachers.stateful_file import BIAS, INPUT, write_recurrent

X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-2.0, 4.0]], "float32")
FRESH = X @ INPUT.T + BIAS


def details(dtype, scale, zero_point):
    return {"dtype": dtype, "quantization": (scale, zero_point)}


@pytest.mark.parametrize("batch", [1, 3])
def test_a_recurrent_teacher_forgets_the_examples_before(batch, tmp_path):
    path = write_recurrent(tmp_path / "t.tflite", batch=batch)
    teacher = LiteRtTeacher(path, from_logits=True)
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [1, 1, 1, 1]):
        answer = np.asarray(teacher(X[order]).logits)
        np.testing.assert_allclose(answer, FRESH[order], rtol=1e-5)


def test_a_recurrent_file_forgets_the_examples_before(tmp_path):
    path = write_recurrent(tmp_path / "t.tflite")
    np.testing.assert_allclose(LiteRtModel(path)(X), FRESH, rtol=1e-5)
    np.testing.assert_allclose(
        write_golden(tmp_path / "golden", path, X), FRESH, rtol=1e-5
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_integers_of_the_files_own_type_are_taken_as_they_are(dtype):
    raw = np.array([0, 7, 100], dtype)
    given = quantise(raw, details(dtype, 1 / 255, 0 if dtype == np.uint8 else -128))
    np.testing.assert_array_equal(given, raw)
    assert given.dtype == dtype


def test_integers_of_another_type_are_numbers_of_the_keras_model():
    pixels = np.array([0, 7, 255], "uint8")
    given = quantise(pixels, details(np.int8, 1.0, -128))
    assert given.tolist() == [-128, -121, 127]


def test_pixels_for_a_file_of_other_units_are_an_error():
    pixels = np.array([0, 7, 255], "uint8")
    with pytest.raises(
        ValueError, match=r"from 0 to 1, .*got uint8 from 0 to 255.*x /"
    ):
        quantise(pixels, details(np.int8, 1 / 255, -128))

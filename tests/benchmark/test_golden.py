"""A golden file has the documented bytes; the outputs are those of LiteRT."""

import json
import struct

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.benchmark import DeviceError, write_golden
from keras_kd.benchmark.golden import read_outputs
from keras_kd.export import LiteRtModel, convert


@pytest.fixture
def x(digits_test):
    return digits_test[0][:7]


def test_bytes_are_those_of_the_contract(digits_files, x, tmp_path):
    path = digits_files["int8"]
    outputs = write_golden(tmp_path / "golden", path, x)
    content = (tmp_path / "golden").read_bytes()
    assert struct.unpack("<8s4I", content[:24]) == (b"KDGOLD01", 7, 64, 10, 0)
    assert len(content) == 24 + 7 * (64 + 10)
    tensor = json.loads(path.with_suffix(".json").read_text())["input"]
    for number, example in enumerate(x):
        stored = np.frombuffer(content, np.int8, 64, 24 + 64 * number)
        for value, whole in zip(example.reshape(-1), stored, strict=True):
            expected = round(value / tensor["scale"]) + tensor["zero_point"]
            assert whole == min(127, max(-128, expected))
    answers = np.frombuffer(content, np.int8, 70, 24 + 64 * 7).reshape(7, 10)
    np.testing.assert_array_equal(answers, outputs)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_outputs_are_those_of_the_file(digits_files, x, tmp_path, precision):
    model = LiteRtModel(digits_files[precision])
    stored = write_golden(tmp_path / "golden", digits_files[precision], x)
    assert stored.dtype == precision
    scale, zero_point = model.output["quantization"]
    real = (stored.astype("float32") - zero_point) * scale if scale else stored
    np.testing.assert_allclose(real, model(x), rtol=1e-6)


def test_file_that_normalises_is_given_raw_inputs(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    path = tmp_path / "student.tflite"
    convert(model, path, precision="float32", normalization=(2.0, 4.0))
    seen = np.array([[0.5, 1, -1, 0]], "float32")
    outputs = write_golden(tmp_path / "golden", path, seen)
    raw = np.frombuffer((tmp_path / "golden").read_bytes(), "float32", 4, 24)
    np.testing.assert_allclose(raw, [4, 6, -2, 2], rtol=1e-6)
    np.testing.assert_allclose(outputs, model.predict(seen, verbose=0), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 8, 8), (0, 8, 8, 1), (3, 9, 8, 1), ()])
def test_examples_of_another_shape_are_refused(digits_files, tmp_path, shape):
    with pytest.raises(ValueError, match=r"examples of shape \(n, 8, 8, 1\)"):
        write_golden(tmp_path / "golden", digits_files["int8"], np.zeros(shape))
    assert not list(tmp_path.iterdir())


def test_outputs_are_read_in_the_type_of_the_file(digits_files, tmp_path):
    path = tmp_path / "outputs"
    expected = np.arange(30, dtype="float32").reshape(3, 10)
    path.write_bytes(expected.tobytes())
    found = read_outputs(path, digits_files["float32"])
    np.testing.assert_array_equal(found, expected)
    path.write_bytes(expected.tobytes()[:-1])
    with pytest.raises(DeviceError, match="got 119 bytes"):
        read_outputs(path, digits_files["float32"])

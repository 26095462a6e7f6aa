"""Files of MobileNetV2, of 50 MB and of texts: what is written is what was trained."""

import re
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.data import Split
from keras_kd.export import (
    LiteRtModel,
    check_deployable,
    convert,
    inspect,
    quantization_aware,
    verify,
    write_c_array,
)
from keras_kd.export._calibration import MOST_EXAMPLES, calibration_examples
from tests.programs import needs
from tests.real_size import dense_net, text_net, texts

# Bytes that a file takes for a weight.
BYTES = {
    "float32": 4,
    "float16": 2,
    "dynamic_int8": 1,
    "int8": 1,
    "int16x8": 1,
    "int4_weights": 0.5,
}


def kernels(model):
    """The number of weights in convolutions and dense layers, without biases."""
    return sum(np.prod(weight.shape) for weight in model.weights if weight.ndim > 1)


@pytest.mark.slow
@pytest.mark.parametrize("precision", BYTES)
def test_every_weight_of_mobilenet_is_in_its_file(
    precision, mobilenet_file, mobilenet_v2, images
):
    path = mobilenet_file(precision)
    weights = kernels(mobilenet_v2)
    assert inspect(path).parameters == pytest.approx(weights, rel=0.01)
    size = path.stat().st_size
    # Scales, biases and the description of 66 operations come on top.
    assert BYTES[precision] * weights < size < BYTES[precision] * weights + 800_000
    x = images[0][:16]
    expected = mobilenet_v2.predict(x, verbose=0)
    error = np.abs(LiteRtModel(path)(x) - expected).max() / np.abs(expected).max()
    # Of random weights, through 66 operations; zeros would be 1 off.
    limits = {"float32": 0.01, "float16": 0.05, "int4_weights": 0.8}
    assert error < limits.get(precision, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", BYTES)
def test_every_weight_of_a_net_of_50_mb_is_in_its_file(precision, dense_file):
    model = dense_net()
    path = dense_file(precision)
    assert inspect(path).parameters == pytest.approx(model.count_params(), rel=0.01)
    expected_bytes = BYTES[precision] * model.count_params()
    assert path.stat().st_size == pytest.approx(expected_bytes, rel=0.02)
    x = np.random.default_rng(1).normal(size=(8, 3600)).astype("float32")
    expected = model.predict(x, verbose=0)
    error = np.abs(LiteRtModel(path)(x) - expected).max() / np.abs(expected).max()
    assert error < (1e-3 if precision == "float32" else 0.2)


@pytest.mark.slow
def test_verify_counts_what_numpy_counts_among_1000_classes(
    mobilenet_file, mobilenet_v2, images
):
    x, y = images
    chosen = mobilenet_v2.predict(x, verbose=0).argmax(-1)
    y = np.where(np.arange(len(y)) % 2, chosen, y)
    found = verify(mobilenet_file("int8"), mobilenet_v2, (x, y), layer_examples=2)
    ours = LiteRtModel(mobilenet_file("int8"))(x).argmax(-1)
    assert found.accuracy == np.mean(ours == y)
    assert found.keras_accuracy == np.mean(chosen == y)
    assert found.keras_agreement == np.mean(ours == chosen)
    assert len(found.flips) == np.sum(ours != chosen)
    assert sum(one.examples for one in found.classes) == len(y)
    assert len(found.layers) > 50


@pytest.mark.slow
@needs("gcc")
def test_c_array_of_4_mb_compiles_to_the_bytes_of_the_file(mobilenet_file, tmp_path):
    path = mobilenet_file("int8")
    header, source = write_c_array(path, tmp_path, name="student")
    size = re.search(r"STUDENT_BYTES +(\d+)", header.read_text())
    assert int(size[1]) == path.stat().st_size
    program = tmp_path / "main.c"
    program.write_text(
        '#include <stdio.h>\n#include "student.h"\n'
        "int main(void) { return !fwrite(student, STUDENT_BYTES, 1, stdout); }\n"
    )
    subprocess.run(["gcc", "-o", tmp_path / "main", program, source], check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=True)
    assert done.stdout == path.read_bytes()


@pytest.mark.slow
def test_arena_of_a_microcontroller_is_compared_with_what_mobilenet_needs(
    mobilenet_v2, mobilenet_file
):
    needed = inspect(mobilenet_file("int8")).micro_arena_bytes
    for ram_bytes, ok in ((needed + 2**16, True), (2**16, False)):
        answer = check_deployable(
            mobilenet_v2, target="microcontroller", ram_bytes=ram_bytes
        )
        assert answer.ok is ok, answer.problems


@pytest.mark.slow
def test_quantisation_aware_mobilenet_keeps_its_answers(
    small_mobilenet, images, tmp_path
):
    model = quantization_aware(small_mobilenet)
    x = images[0][:16]
    for _ in range(2):
        model(x, training=True)
    path = tmp_path / "student.tflite"
    convert(model, path, precision="int8")
    expected = model.predict(x, verbose=0)
    found = LiteRtModel(path)(x)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_text_of_512_tokens_is_answered_like_keras(precision, tmp_path):
    model = text_net(64)
    path = tmp_path / "text.tflite"
    convert(model, path, precision=precision)
    x, _ = texts(8)
    expected = model.predict(x, verbose=0)
    found = LiteRtModel(path)(x)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_calibration_reads_few_more_photos_than_it_uses():
    read = []

    def photo(number):
        read.append(number)
        return np.zeros((8, 8, 1), "float32")

    def example(number):
        return {"id": "", "x": tf.numpy_function(photo, [number], "float32"), "y": 0}

    split = Split(tf.data.Dataset.range(3000).map(example), 3000)
    assert len(calibration_examples(split)) == MOST_EXAMPLES
    assert len(read) < 2 * MOST_EXAMPLES

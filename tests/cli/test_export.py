"""`keras-kd export` as a person uses it."""

import json

import keras
import pytest
from keras import layers

from keras_kd._checks import InvalidInputError
from keras_kd.cli.app import app
from keras_kd.export import quantization_aware
from tests.cli.command import run


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    path = tmp_path_factory.mktemp("student") / "student.keras"
    stack = [keras.Input((8, 8, 1), name="image"), layers.Conv2D(4, 3), layers.ReLU()]
    keras.Sequential([*stack, layers.Flatten(), layers.Dense(10)]).save(path)
    return path


def call(*arguments):
    """The command in this process, which has imported TensorFlow already."""
    app([str(argument) for argument in arguments], standalone_mode=False)


def manifest(folder, name):
    return json.loads((folder / f"student-{name}.json").read_text())


@pytest.mark.slow
def test_every_precision_with_scaling_and_softmax(student, tmp_path):
    shown = run(
        *("export", student, "--out", tmp_path, "--data", "digits"),
        *("--precision", "float32,int8,int16x8,int4_weights", "--float-io"),
        *("--normalize", "0/16", "--output", "probabilities"),
    )
    for name in ("float32", "int8", "int16x8", "int4_weights"):
        told = manifest(tmp_path, name)
        assert f"student-{name}.tflite" in shown
        assert f"{told['size_bytes']:,}" in shown
        assert told["input"]["dtype"] == told["output"]["dtype"] == "float32"
        assert told["output_kind"] == "softmax"
        assert told["normalization"] == {"mean": [0.0], "std": [16.0]}
        assert told["input_range"] == [0.0, 16.0]
        assert told["labels"][3] == "3"


def test_c_array_lies_beside_the_file(student, tmp_path, capsys):
    call("export", student, "--out", tmp_path, "--precision", "float32", "--c-array")
    shown = capsys.readouterr().out
    for ending in ("h", "c"):
        assert (tmp_path / f"student_float32.{ending}").stat().st_size > 500
        assert f"student_float32.{ending}" in shown


def test_quantisation_aware_students_need_no_data_and_no_precision(tmp_path):
    float_student = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    for bits, name in ((8, "int8"), (4, "int4_weights")):
        model = quantization_aware(float_student, weights_bits=bits)
        model(keras.random.normal((20, 4)), training=True)
        model.save(tmp_path / "student.keras")
        call("export", tmp_path / "student.keras", "--out", tmp_path)
        assert manifest(tmp_path, name)["input"]["dtype"] == "int8"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--precision", "int8"), "--data for int8"),
        (("--precision", "float32,int3"), "Did you mean"),
        (("--precision", "float32", "--normalize", "255"), "--normalize as MEAN/STD"),
        (("--precision", "float32", "--normalize", "0/0"), "std not 0"),
        (("--precision", "float32", "--output", "softmax"), "`output` to be one of"),
    ],
)
def test_unusable_options_say_what_to_do(student, options, message, tmp_path):
    with pytest.raises(InvalidInputError, match=message):
        call("export", student, "--out", tmp_path, *options)
    assert not list(tmp_path.glob("*.tflite"))

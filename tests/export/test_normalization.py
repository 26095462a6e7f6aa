"""Scaling and softmax that the file does itself."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.export import (
    LiteRtModel,
    Normalization,
    convert,
    inspect,
    quantization_aware,
)
from keras_kd.export.metadata import read_description

MEAN, STD = (10.0, 20.0, 30.0), (50.0, 255.0, 100.0)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    stack = [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, padding="same")]
    stack += [layers.ReLU(), layers.Flatten(), layers.Dense(5)]
    return keras.Sequential(stack)


@pytest.fixture(scope="module")
def raw():
    """Pixels from 0 to 255."""
    return np.random.default_rng(0).uniform(0, 255, (40, 8, 8, 3)).astype("float32")


# Of the largest output; an int8 output has 255 steps and input, weights and layers each
# add some.
ERRORS = {
    "float32": 1e-5,
    "float16": 0.01,
    "dynamic_int8": 0.05,
    "int8": 0.05,
    "int16x8": 0.05,
}


@pytest.mark.parametrize(("precision", "most"), ERRORS.items())
def test_file_takes_raw_inputs_and_gives_probabilities(
    model, raw, precision, most, tmp_path
):
    inputs = (raw - np.array(MEAN)) / np.array(STD)
    path = tmp_path / "m.tflite"
    manifest = convert(
        model,
        path,
        precision=precision,
        calibration_data=inputs,
        normalization=(MEAN, STD),
        output="probabilities",
    )
    logits = np.asarray(model(inputs), dtype="float64")
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected = powers / powers.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(LiteRtModel(path)(raw), expected, atol=most)
    assert manifest.output_kind == "softmax"
    assert manifest.output.name == "probabilities"
    assert manifest.input_range == pytest.approx((raw.min(), raw.max()), rel=1e-4)
    assert manifest.normalization_folded
    assert read_description(path).normalization == Normalization(MEAN, STD)


def test_folding_costs_int8_next_to_nothing(model, raw, tmp_path):
    inputs = (raw - np.array(MEAN)) / np.array(STD)
    errors = []
    for name, options, given in (
        ("plain", {}, inputs),
        ("folded", {"normalization": (MEAN, STD)}, raw),
    ):
        path = tmp_path / f"{name}.tflite"
        convert(model, path, precision="int8", calibration_data=inputs, **options)
        errors.append(np.std(LiteRtModel(path)(given) - np.asarray(model(inputs))))
    assert errors[1] < 1.5 * errors[0]


@pytest.mark.slow
def test_inputs_that_are_no_images_are_scaled_too(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    inputs = np.random.default_rng(0).normal(size=(30, 4)).astype("float32")
    raw = inputs * 2.0 + 7.0
    for precision, most in (("float32", 1e-4), ("int8", 0.2)):
        path = tmp_path / "m.tflite"
        convert(
            model,
            path,
            precision=precision,
            calibration_data=inputs,
            normalization=(7, 2),
        )
        np.testing.assert_allclose(LiteRtModel(path)(raw), model(inputs), atol=most)


def test_normalisation_can_be_left_to_the_caller(model, raw, tmp_path):
    path = tmp_path / "m.tflite"
    manifest = convert(
        model,
        path,
        precision="float32",
        normalization=(0, 255),
        fold_normalization=False,
        input_range=(0, 1),
    )
    np.testing.assert_allclose(
        LiteRtModel(path)(raw / 255), model(raw / 255), atol=1e-4
    )
    assert manifest.normalization == Normalization((0.0,), (255.0,))
    assert not manifest.normalization_folded
    assert manifest.input_range == (0.0, 1.0)


def test_softmax_is_left_out_or_kept(raw, tmp_path):
    stack = [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(5, name="scores")]
    logits = keras.Sequential(stack)
    softmax = keras.Sequential([*stack, layers.Softmax()])
    path, x = tmp_path / "m.tflite", raw / 255
    convert(softmax, path, precision="float32", output="logits")
    np.testing.assert_allclose(LiteRtModel(path)(x), logits(x), atol=1e-5)
    manifest = convert(softmax, path, precision="float32", output="probabilities")
    np.testing.assert_allclose(LiteRtModel(path)(x), softmax(x), atol=1e-5)
    assert manifest.ops["SOFTMAX"] == 1


def test_one_unit_becomes_a_sigmoid(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    x = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    path = tmp_path / "m.tflite"
    manifest = convert(model, path, precision="float32", output="probabilities")
    expected = 1 / (1 + np.exp(-np.asarray(model(x))))
    np.testing.assert_allclose(LiteRtModel(path)(x), expected, atol=1e-6)
    assert manifest.output_kind == "sigmoid"


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_integer_files_can_take_and_give_floats(model, raw, precision, tmp_path):
    path = tmp_path / "m.tflite"
    manifest = convert(
        model, path, precision=precision, calibration_data=raw / 255, float_io=True
    )
    assert manifest.input.dtype == manifest.output.dtype == "float32"
    assert {"QUANTIZE", "DEQUANTIZE"} <= set(manifest.ops)
    np.testing.assert_allclose(LiteRtModel(path)(raw / 255), model(raw / 255), atol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": (0, 0)}, "std not 0"),
        ({"normalization": 255}, "numbers or one for each channel"),
        ({"normalization": ("a", "b")}, "numbers or one for each channel"),
        ({"normalization": (np.nan, 1)}, "numbers or one for each channel"),
        ({"normalization": ([1, 2], 1)}, "one mean, or 3"),
        ({"output": "softmax"}, "`output` to be one of"),
    ],
)
def test_unusable_options_say_what_to_do(model, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        convert(model, tmp_path / "m.tflite", precision="float32", **options)
    assert not list(tmp_path.iterdir())


def test_output_of_an_unknown_head_cannot_be_chosen(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="tanh")])
    with pytest.raises(ValueError, match="head that ends in logits"):
        convert(model, tmp_path / "m.tflite", precision="float32", output="logits")


@pytest.mark.slow
@pytest.mark.parametrize("float_io", [False, True])
def test_quantisation_aware_models_take_raw_inputs_too(raw, float_io, tmp_path):
    stack = [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, padding="same")]
    stack += [layers.ReLU(), layers.Flatten(), layers.Dense(5)]
    model = quantization_aware(keras.Sequential(stack))
    inputs = (raw - np.array(MEAN)) / np.array(STD)
    model(inputs, training=True)
    path = tmp_path / "m.tflite"
    manifest = convert(
        model,
        path,
        precision="int8",
        normalization=(MEAN, STD),
        output="probabilities",
        float_io=float_io,
    )
    expected = keras.ops.softmax(model(inputs))
    np.testing.assert_allclose(LiteRtModel(path)(raw), expected, atol=0.03)
    assert inspect(path).float_islands == ()
    assert manifest.input.dtype == ("float32" if float_io else "int8")


@pytest.mark.slow
def test_quantisation_aware_models_of_no_images_are_scaled_too(tmp_path):
    student = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    model = quantization_aware(student)
    inputs = np.random.default_rng(0).normal(size=(50, 6)).astype("float32")
    model(inputs, training=True)
    path = tmp_path / "m.tflite"
    convert(model, path, precision="int8", normalization=(5, 3))
    np.testing.assert_allclose(
        LiteRtModel(path)(inputs * 3 + 5), model(inputs), atol=0.1
    )
    assert inspect(path).float_islands == ()

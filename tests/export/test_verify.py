"""What `verify` says of a file is what a loop over its examples finds."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.export import (
    AccuracyTooLowError,
    LiteRtModel,
    accuracy,
    convert,
    verify,
)
from keras_kd.export.flips import find_flips
from keras_kd.export.per_class import class_changes

NAMES = ("zero", "one", "two", "three", "four")
NAMES += ("five", "six", "seven", "eight", "nine")


def small_model(activation=None):
    stack = [
        keras.Input((8, 8, 1)),
        layers.Conv2D(6, 3, strides=2, activation="relu", name="conv"),
        layers.Flatten(),
        layers.Dense(10, activation=activation, name="scores"),
    ]
    return keras.Sequential(stack)


def fitted(digits, activation=None):
    keras.utils.set_random_seed(0)
    model = small_model(activation)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
    model.compile(keras.optimizers.Adam(0.02), loss)
    x, y = digits.train.arrays()
    for step in range(40):
        rows = slice(64 * step % 900, 64 * step % 900 + 64)
        model.train_on_batch(x[rows], y[rows])
    return model


@pytest.fixture(scope="module")
def model(digits):
    return fitted(digits)


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    """The coarsest precision, which decides some examples otherwise."""
    path = tmp_path_factory.mktemp("files") / "m.tflite"
    convert(model, path, precision="int4_weights", labels=NAMES)
    return path


@pytest.fixture(scope="module")
def result(file, model, digits):
    return verify(file, model, digits.test)


def by_hand(file, model, digits):
    """Softmax of both, by the definition; `x` and `y` of the test part."""
    x, y = digits.test.arrays()
    both = []
    for scores in (model.predict(x, verbose=0), LiteRtModel(file)(x)):
        powers = np.exp(scores.astype("float64"))
        both.append(powers / powers.sum(axis=1, keepdims=True))
    return *both, y


def test_flips_are_those_of_a_loop(result, file, model, digits):
    keras_p, file_p, labels = by_hand(file, model, digits)
    expected = {}
    for index, (theirs, ours) in enumerate(zip(keras_p, file_p, strict=True)):
        if theirs.argmax() != ours.argmax():
            expected[index] = theirs.argmax(), ours.argmax(), theirs.max(), ours.max()
    assert len(expected) > 3
    assert {flip.index for flip in result.flips} == set(expected)
    for flip in result.flips:
        theirs, ours, sure, other = expected[flip.index]
        assert (flip.keras_class, flip.file_class) == (theirs, ours)
        assert flip.keras_confidence == pytest.approx(sure, abs=1e-5)
        assert flip.file_confidence == pytest.approx(other, abs=1e-5)
        assert flip.label == labels[flip.index]
        assert flip.is_new_error == (theirs == labels[flip.index])
    certain = [flip.keras_confidence for flip in result.flips]
    assert certain == sorted(certain, reverse=True)
    assert result.keras_agreement == 1 - len(expected) / result.examples


def test_classes_are_those_of_a_loop(result, file, model, digits):
    keras_p, file_p, labels = by_hand(file, model, digits)
    assert [one.name for one in result.classes] == list(NAMES)
    for number, one in enumerate(result.classes):
        own = [i for i in range(len(labels)) if labels[i] == number]
        right = [sum(p[i].argmax() == number for i in own) for p in (keras_p, file_p)]
        assert one.examples == len(own)
        assert one.keras_accuracy == pytest.approx(right[0] / len(own))
        assert one.accuracy == pytest.approx(right[1] / len(own))
        assert one.flips == sum(keras_p[i].argmax() != file_p[i].argmax() for i in own)
        assert one.change == pytest.approx((right[1] - right[0]) / len(own))
    assert result.worst_class.change == min(one.change for one in result.classes)


def test_classes_without_names_have_numbers_and_need_examples():
    changes = class_changes([2, 0, 2], [2, 0, 0], [2, 0, 2])
    assert [(one.name, one.examples, one.flips) for one in changes] == [
        ("0", 1, 0),
        ("2", 2, 1),
    ]
    assert class_changes([1], [1], [1], names=("only one",))[0].name == "1"


@pytest.mark.parametrize(
    ("kind", "scores", "expected"),
    [
        ("logits", [[0.0, np.log(3.0)]], 0.75),
        ("softmax", [[0.3, 0.7]], 0.7),
        ("sigmoid", [[0.2]], 0.8),
        ("logits", [[np.log(3.0)]], 0.75),
    ],
)
def test_confidence_is_a_probability_of_the_chosen_class(kind, scores, expected):
    other = [[0.9, 0.1]] if len(scores[0]) == 2 else [[1.0 - 2 * (kind == "logits")]]
    other = [[1.0]] if kind == "sigmoid" else other
    [flip] = find_flips(scores, other, [0], kind)
    assert flip.keras_confidence == pytest.approx(expected)


def test_it_can_be_read_by_people_and_by_programs(result):
    text = str(result)
    assert f"{100 * result.accuracy:.2f} %" in text
    assert f"n = {result.examples}" in text
    assert f"new errors: {sum(f.is_new_error for f in result.flips)}" in text
    assert result.worst_layer.layer in text
    assert max(map(len, text.splitlines())) <= 80
    assert json.loads(result.to_json()) == json.loads(
        json.dumps(dataclasses.asdict(result))
    )
    assert len(json.loads(result.to_json())["flips"]) == len(result.flips)


@pytest.mark.slow
def test_folded_normalisation_and_softmax_are_compared_alike(model, digits, tmp_path):
    path = tmp_path / "m.tflite"
    # 16 levels of grey, as scikit-learn has them.
    folded = {"normalization": (0.0, 1 / 16), "output": "probabilities"}
    for options, most in (
        ({"precision": "float32"}, 1e-5),
        ({"precision": "int8", "calibration_data": digits.train}, 0.1),
        (
            {"precision": "int8", "calibration_data": digits.train, "float_io": True},
            0.1,
        ),
    ):
        convert(model, path, **folded, **options)
        result = verify(path, model, digits.test)
        assert result.max_abs_error < most
        assert result.keras_agreement > 0.98
        # The file's softmax, given raw inputs, sums to 1.
        x, _ = digits.test.arrays()
        np.testing.assert_allclose(LiteRtModel(path)(x[:5] / 16).sum(1), 1, atol=0.03)
        assert result.layers[0].layer == "input"
        assert max(layer.error for layer in result.layers) < 0.05


@pytest.mark.slow
def test_softmax_that_was_left_out_is_compared_as_logits(digits, tmp_path):
    model = fitted(digits, "softmax")
    path = tmp_path / "m.tflite"
    convert(model, path, precision="float32", output="logits")
    result = verify(path, model, digits.test)
    assert result.keras_agreement == 1.0
    assert result.max_abs_error < 1e-4
    assert max(layer.error for layer in result.layers) < 1e-5
    # They are logits indeed.
    assert LiteRtModel(path)(digits.test.arrays()[0]).max() > 2


def test_file_that_is_too_bad_fails(file, model, digits, result):
    verify(file, model, digits.test, fail_below=result.accuracy, layer_examples=0)
    with pytest.raises(AccuracyTooLowError) as raised:
        verify(file, model, digits.test, fail_below=result.accuracy + 0.001)
    message = str(raised.value)
    low, high = result.accuracy_ci95
    for said in (f"{result.accuracy:.2%}", f"{low:.2%} to {high:.2%}", "540 examples"):
        assert said in message
    assert f'at "{result.worst_layer.layer}"' in message
    assert raised.value.verification == result


@pytest.mark.slow
def test_nan_is_an_error_that_says_whose(model, tmp_path):
    path = tmp_path / "m.tflite"
    x, y = np.ones((4, 8, 8, 1), "float32"), np.zeros(4, int)
    large = small_model()
    # The sums of these are more than float32 can hold.
    large.get_layer("scores").kernel.assign(np.full((54, 10), 1e38))
    large.get_layer("conv").bias.assign(np.full(6, 100.0))
    convert(large, path, precision="float32")
    with pytest.raises(ValueError, match="finite outputs of the file, got NaN or inf"):
        verify(path, model, (x, y))
    convert(model, path, precision="float32")
    with pytest.raises(ValueError, match="outputs of the Keras model, got NaN"):
        verify(path, large, (x, y))
    x[1] = np.nan
    with pytest.raises(ValueError, match="finite inputs, got NaN or inf in 1 of 4"):
        verify(path, model, (x, y))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.5, 1], r"class numbers from 0 to 9, got .*0\.5"),
        ([10, 1], "10"),
        ([-1, 1], "-1"),
        ([np.nan, 1], "nan"),
        (["cat", "dog"], "cat"),
    ],
)
def test_wrong_labels_are_named(file, model, labels, message):
    with pytest.raises(ValueError, match=message):
        verify(file, model, (np.zeros((2, 8, 8, 1)), np.array(labels)))


def test_labels_may_be_whole_floats(file, model, digits):
    x, y = digits.test.arrays()
    result = verify(file, model, (x, y.astype("float32")), layer_examples=0)
    expected = accuracy(LiteRtModel(file)(x).argmax(1), y)
    assert (result.accuracy, result.accuracy_ci95) == (expected.value, expected.ci95)
    assert result.layers == ()
    assert result.worst_layer is None
    assert "layer" not in str(result)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fail_below": 95}, r"`fail_below` to be a number in \[0, 1\], got 95"),
        ({"layer_examples": -1}, "`layer_examples` as a whole number"),
        ({"layer_examples": 0.5}, "`layer_examples` as a whole number"),
    ],
)
def test_unusable_arguments_say_what_to_do(file, model, digits, options, message):
    with pytest.raises(ValueError, match=message):
        verify(file, model, digits.test, **options)


def test_models_that_cannot_have_made_the_file_are_refused(file, digits, tmp_path):
    with pytest.raises(ValueError, match=r"gives as logits, got one.*unknown"):
        verify(file, small_model("relu"), digits.test)
    maps = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(3, 3)])
    path = tmp_path / "m.tflite"
    convert(maps, path, precision="float32")
    with pytest.raises(ValueError, match="one decision for each example"):
        verify(path, maps, digits.test)
    with pytest.raises(ValueError, match=r"keras_kd\.export\.convert"):
        verify(tmp_path / "cut.tflite", maps, digits.test)


def test_damaged_file_is_refused(file, model, digits, tmp_path):
    content = file.read_bytes()
    for part in (content[: len(content) // 2], content[1000:], b""):
        (tmp_path / "m.tflite").write_bytes(part)
        with pytest.raises(ValueError, match=r"a \.tflite file that LiteRT can run"):
            verify(tmp_path / "m.tflite", model, digits.test)

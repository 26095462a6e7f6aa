"""Small networks that are known to deploy."""

import re

import numpy as np
import pytest

import keras_kd
from keras_kd import students
from keras_kd.losses import suggest_layers
from keras_kd.students import (
    convnet,
    inverted_residual_net,
    residual_net,
    separable_convnet,
    shrink,
    token_transformer,
)

IMAGE = (32, 32, 3)
MODELS = {
    "convnet": lambda: convnet(IMAGE, 10, width=16),
    "inverted_residual_net": lambda: inverted_residual_net(IMAGE, 10, width=0.5),
    "residual_net": lambda: residual_net(IMAGE, 10, width=16, blocks=2),
    "separable_convnet": lambda: separable_convnet((49, 10, 1), 12, width=64),
    "token_transformer": lambda: token_transformer(16, 100, 4, width=32),
}


def examples(model, count=8):
    random = np.random.default_rng(0)
    shape = (count, *model.input_shape[1:])
    if model.name == "token_transformer":
        return random.integers(0, 100, shape).astype("int32")
    return random.normal(size=shape).astype("float32")


def norm(channels):
    return 4 * channels


@pytest.mark.parametrize(("width", "blocks"), [(64, 4), (16, 2)])
def test_separable_parameters_by_hand(width, blocks):
    first = 10 * 4 * width + norm(width)
    block = 9 * width + norm(width) + width * width + norm(width)
    model = separable_convnet(
        (49, 10, 1), 12, width=width, blocks=blocks, kernel_size=(10, 4)
    )
    assert model.count_params() == first + blocks * block + width * 12 + 12


@pytest.mark.parametrize("blocks", [1, 3])
def test_residual_parameters_by_hand(blocks):
    def convolution(inputs, outputs):
        return 9 * inputs * outputs + norm(outputs)

    expected = convolution(3, 16) + 64 * 10 + 10
    for inputs, outputs in ((16, 16), (16, 32), (32, 64)):
        expected += convolution(inputs, outputs) + convolution(outputs, outputs)
        expected += inputs * outputs if inputs != outputs else 0
        expected += (blocks - 1) * 2 * convolution(outputs, outputs)
    model = residual_net(IMAGE, 10, width=16, blocks=blocks)
    assert model.count_params() == expected


@pytest.mark.parametrize(("strides", "side"), [(1, 32), (2, 16), (4, 8)])
def test_residual_stem_shrinks_the_image_and_keeps_the_weights(strides, side):
    model = residual_net(IMAGE, 10, width=16, stem_strides=strides)
    shapes = [model.get_layer(f"stage_{n}").output.shape[1:] for n in (1, 2, 3)]
    halved = ((side, 16), (side // 2, 32), (side // 4, 64))
    assert shapes == [(size, size, channels) for size, channels in halved]
    assert model.count_params() == residual_net(IMAGE, 10, width=16).count_params()


def test_transformer_parameters_by_hand():
    width, vocabulary = 32, 100
    attention = 4 * (width * width + width)
    dense = width * 2 * width + 2 * width + 2 * width * width + width
    block = 2 * width + attention + 2 * width + dense
    positions = 3 * width + width
    expected = vocabulary * width + positions + 3 * block + 2 * width + width * 4 + 4
    model = token_transformer(16, vocabulary, 4, width=width, blocks=3)
    assert model.count_params() == expected


def test_inverted_residual_channels_are_multiples_of_eight():
    model = inverted_residual_net(IMAGE, 10, width=0.6)
    shapes = [model.get_layer(f"stage_{n}").output.shape[1:] for n in (1, 2, 3, 4)]
    assert shapes == [(16, 16, 8), (8, 8, 16), (4, 4, 24), (2, 2, 56)]


def test_width_of_a_transformer_is_a_multiple_of_its_heads():
    with pytest.raises(ValueError, match=r"a multiple of heads=4, got 30. .* width=32"):
        token_transformer(16, 100, 4, width=30)


@pytest.mark.parametrize(
    "make",
    [
        lambda: separable_convnet(IMAGE, 10, width=0),
        lambda: residual_net(IMAGE, 10, width=-1),
        lambda: inverted_residual_net(IMAGE, 10, width=0),
        lambda: token_transformer(16, 100, 4, width=0),
    ],
)
def test_width_must_be_positive(make):
    with pytest.raises(ValueError, match="`width` to be a number above 0"):
        make()


@pytest.mark.quick_for("convnet")
@pytest.mark.parametrize("name", MODELS)
def test_catalogue_can_be_shrunk(name):
    model = MODELS[name]()
    x = examples(model)
    same = shrink(model, width=1.0, init="teacher")
    np.testing.assert_array_equal(same(x), model(x))
    student = shrink(model, width=0.5, init="teacher", data=x)
    assert student(x).shape == (8, model.output_shape[-1])
    assert student.count_params() < model.count_params()


# Of the targets, microcontrollers ask the most.
QUICK = [(name, "microcontroller") for name in MODELS]


@pytest.mark.quick_for("convnet-microcontroller", "token_transformer-microcontroller")
@pytest.mark.parametrize(
    ("name", "target"),
    [
        pytest.param(
            name, target, marks=[] if (name, target) in QUICK else pytest.mark.release
        )
        for name in MODELS
        for target in ("mobile", "browser", "microcontroller")
    ],
)
def test_catalogue_runs_where_its_docstring_says(name, target):
    text = getattr(students, name).__doc__
    (listed,) = re.findall(r"Runs on: ([\w, ]+)\.", text)
    answer = keras_kd.export.check_deployable(MODELS[name](), target=target)
    assert answer.ok == (target in listed.split(", ")), answer.problems


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_layers_of_a_shrunk_net_pair_with_those_of_the_same_names(name):
    model = MODELS[name]()
    pairs = suggest_layers(model, shrink(model))
    assert pairs
    assert all(pair.teacher_layer == pair.student_layer for pair in pairs)


@pytest.mark.release
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_catalogue_converts(name, precision, tmp_path):
    model = MODELS[name]()
    x = examples(model)
    path = tmp_path / "student.tflite"
    keras_kd.export.convert(model, path, precision=precision, calibration_data=x)
    report = keras_kd.export.verify(path, model, (x, np.zeros(8, int)))
    span = float(np.ptp(model(x)))
    assert report.max_abs_error < (1e-4 if precision == "float32" else 0.25 * span)

"""Stages of two models are paired by resolution."""

import keras
import pytest
from keras import layers

from keras_kd.losses.suggest import suggest_layers
from keras_kd.outputs import find_layer
from keras_kd.students import convnet, token_transformer


def named(pairs):
    return [(pair.teacher_layer, pair.student_layer) for pair in pairs]


def sequential(*parts, size=16):
    return keras.Sequential([keras.Input((size, size, 3)), *parts])


def conv(name, strides=2):
    return layers.Conv2D(4, 3, strides=strides, padding="same", name=name)


def test_convnets_of_two_widths_pair_block_by_block():
    teacher = convnet((16, 16, 3), 10, width=8, blocks=3)
    student = convnet((16, 16, 3), 10, width=2, blocks=3)
    pairs = suggest_layers(teacher, student)
    assert named(pairs) == [(f"block_{i}", f"block_{i}") for i in (1, 2, 3)]
    assert pairs[2].teacher_shape == (None, 4, 4, 32)
    assert pairs[2].student_shape == (None, 4, 4, 8)


def test_resolutions_count_relative_to_the_input():
    teacher = convnet((28, 28, 3), 10, width=8, blocks=4)
    student = convnet((32, 32, 3), 10, width=2, blocks=4)
    pairs = suggest_layers(teacher, student)
    assert [pair.teacher_shape[1] for pair in pairs] == [28, 14, 7, 4]
    assert [pair.student_shape[1] for pair in pairs] == [32, 16, 8, 4]


def test_stages_that_one_model_lacks_are_left_out():
    teacher = sequential(conv("a"), conv("b"), conv("c"))
    student = sequential(conv("x", strides=4))
    assert named(suggest_layers(teacher, student)) == [("b", "x")]
    assert suggest_layers(teacher, sequential(conv("y", strides=1))) == []


def test_layers_of_nested_models_have_paths_and_the_outer_sizes():
    image = keras.Input((None, None, 3))
    inner = keras.Sequential([conv("down"), layers.ReLU(name="relu")], name="stage")
    backbone = keras.Model(image, conv("last")(inner(image)), name="backbone")
    teacher = sequential(backbone, layers.GlobalAveragePooling2D(), layers.Dense(2))
    student = sequential(conv("a"), conv("b"))
    pairs = suggest_layers(teacher, student)
    assert named(pairs) == [("backbone/stage/relu", "a"), ("backbone/last", "b")]
    assert pairs[0].teacher_shape == (None, 8, 8, 4)
    assert find_layer(teacher, pairs[0].teacher_layer).name == "relu"


@keras.saving.register_keras_serializable(package="tests")
class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = conv("conv", strides=1)

    def build(self, shape):
        self.conv.build(shape)

    def call(self, inputs):
        return inputs + self.conv(inputs)


def test_a_layer_made_of_layers_ends_its_stage_itself():
    teacher = sequential(conv("down"), Block(name="block"))
    student = sequential(conv("a"))
    assert named(suggest_layers(teacher, student)) == [("block", "a")]


def test_preprocessing_padding_and_dropout_end_no_stage():
    teacher = sequential(
        layers.Rescaling(1 / 255),
        conv("a"),
        layers.ReLU(name="b"),
        layers.Dropout(0.5),
        layers.ZeroPadding2D(),
        layers.Conv2D(4, 3, strides=2, name="c"),
    )
    pairs = suggest_layers(teacher, teacher)
    assert [pair.teacher_layer for pair in pairs] == ["b", "c"]


def test_layers_that_run_twice_and_maps_of_one_position_are_passed_over():
    image = keras.Input((16, 16, 3))
    x = conv("a")(image)
    twice = conv("twice", strides=1)
    x = conv("b", strides=8)(twice(twice(x)))
    model = keras.Model(image, layers.GlobalAveragePooling2D(keepdims=True)(x))
    assert named(suggest_layers(model, model)) == [("a", "a")]


def test_inputs_of_open_size_give_no_pairs():
    model = keras.Sequential([keras.Input((None, None, 3)), conv("a")])
    assert suggest_layers(model, model) == []


def test_heights_and_widths_count_apart_and_sequences_pair_too():
    image = keras.Input((16, 32, 3))
    wide = keras.Model(image, layers.Conv2D(2, 3, (1, 2), "same", name="w")(image))
    both = keras.Model(image, layers.Conv2D(2, 3, 2, "same", name="b")(image))
    assert suggest_layers(wide, both) == []
    steps = keras.Sequential(
        [keras.Input((12, 3)), layers.Conv1D(2, 3, 2, "same", name="s")]
    )
    assert named(suggest_layers(steps, steps)) == [("s", "s")]


def test_models_are_left_as_they_were():
    model = convnet((8, 8, 1), 10, width=2)
    before = [dict(vars(layer)) for layer in model.layers]
    suggest_layers(model, model)
    assert [set(vars(layer)) for layer in model.layers] == [set(b) for b in before]
    assert not any("call" in vars(layer) for layer in model.layers)


def test_models_without_one_known_input_are_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    student = convnet((8, 8, 1), 10, width=2)
    left, right = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    two = keras.Model([left, right], layers.add([left, right]))
    for model in (Subclassed(), keras.Sequential([conv("a")]), two):
        with pytest.raises(ValueError, match="Functional or Sequential"):
            suggest_layers(model, student)


def test_an_input_by_name_is_one_input():
    image = keras.Input((8, 8, 1), name="image")
    model = keras.Model({"image": image}, conv("a")(image))
    assert named(suggest_layers(model, model)) == [("a", "a")]


def test_tokens_are_one_stage_that_ends_before_they_are_pooled():
    def transformer(width, blocks):
        return token_transformer(12, 50, 3, width=width, blocks=blocks)

    (pair,) = suggest_layers(transformer(16, 2), transformer(8, 1))
    assert pair.teacher_shape == (None, 12, 16)
    assert pair.student_shape == (None, 12, 8)
    assert pair.teacher_layer.startswith("layer_normalization")

"""Fewer residual blocks."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.students import shrink


def resnet(blocks):
    """Post-activation blocks, as in ResNet; the first changes the channels."""
    inputs = keras.Input((8, 8, 3))
    y = layers.Conv2D(8, 3, padding="same", name="block_0_conv")(inputs)
    x = layers.Add()([layers.Conv2D(8, 1, name="shortcut")(inputs), y])
    x = layers.ReLU(name="block_0")(x)
    for n in range(1, blocks + 1):
        y = layers.Conv2D(8, 3, padding="same", name=f"block_{n}_conv")(x)
        x = layers.ReLU(name=f"block_{n}")(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(x)))


def transformer(blocks, post_norm=False):
    tokens = keras.Input((4,), dtype="int32")
    x = layers.Embedding(9, 16)(tokens)
    for n in range(blocks):
        y = x if post_norm else layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(2, 8, name=f"attention_{n}")(y, y)
        x = y = layers.LayerNormalization()(x) if post_norm else x
        y = y if post_norm else layers.LayerNormalization()(x)
        x = x + layers.Dense(16, name=f"mlp_{n}")(y)
        x = layers.LayerNormalization()(x) if post_norm else x
    return keras.Model(tokens, layers.Dense(2)(x))


def blocks_left(student, prefix, suffix=""):
    names = [layer.name for layer in student.layers]
    return [n for n in range(10) if f"{prefix}{n}{suffix}" in names]


@pytest.mark.parametrize(
    ("depth", "left"),
    [
        (0.1, [0, 6]),
        (0.5, [0, 1, 3, 6]),
        (0.99, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_share_of_the_blocks_that_keep_the_shape_stays(depth, left):
    student = shrink(resnet(6), width=1.0, depth=depth)
    assert blocks_left(student, "block_", "_conv") == left


def test_teacher_whose_dropped_blocks_do_nothing_equals_its_student():
    teacher = resnet(4)
    for n in (2, 3):
        conv = teacher.get_layer(f"block_{n}_conv")
        conv.set_weights([np.zeros_like(w) for w in conv.get_weights()])
    student = shrink(teacher, width=1.0, depth=0.5, init="teacher")
    assert blocks_left(student, "block_", "_conv") == [0, 1, 4]
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3))
    np.testing.assert_allclose(student(x), teacher(x), rtol=1e-6)


@pytest.mark.parametrize("post_norm", [False, True])
def test_attention_and_what_follows_it_go_together(post_norm):
    student = shrink(transformer(6, post_norm), width=1.0, depth=0.5)
    assert blocks_left(student, "attention_") == blocks_left(student, "mlp_")
    assert len(blocks_left(student, "attention_")) == 3
    norms = sum(isinstance(x, layers.LayerNormalization) for x in student.layers)
    assert norms == 6


def test_width_and_depth_together_have_the_parameters_by_hand():
    student = shrink(resnet(4), width=0.5, depth=0.5, divisor=4)
    first = (9 * 3 * 4 + 4) + (3 * 4 + 4)
    assert student.count_params() == first + 2 * (9 * 4 * 4 + 4) + (4 * 2 + 2)


def test_blocks_of_a_model_inside_go_too():
    inner = keras.Sequential([keras.Input((8, 8, 3)), resnet(4)], name="inner")
    inputs = keras.Input((8, 8, 3))
    teacher = keras.Model(inputs, layers.Dense(3)(inner(inputs)))
    student = shrink(teacher, width=1.0, depth=0.5)
    dropped = 2 * (9 * 8 * 8 + 8)
    assert teacher.count_params() - student.count_params() == dropped


def test_block_whose_inside_is_used_elsewhere_stays():
    inputs = keras.Input((8,))
    x, inside = inputs, []
    for _ in range(3):
        y = layers.Dense(8)(x)
        inside.append(y)
        x = layers.Add()([x, layers.Dense(8)(y)])
    teacher = keras.Model(inputs, [x, *inside])
    with pytest.raises(ValueError, match="repeated residual blocks"):
        shrink(teacher, depth=0.5)


def test_long_skip_into_a_dropped_block_is_followed():
    """A tensor between two blocks that goes elsewhere too is taken from before."""
    inputs = keras.Input((8,))
    x = between = layers.Dense(8)(inputs)
    for n in range(4):
        x = layers.Add()([x, layers.Dense(8, name=f"block_{n}")(x)])
        between = x if n == 1 else between
    teacher = keras.Model(inputs, layers.Concatenate()([x, between]))
    student = shrink(teacher, width=1.0, depth=0.25)
    assert blocks_left(student, "block_") == [3]
    assert student.output_shape == (None, 16)

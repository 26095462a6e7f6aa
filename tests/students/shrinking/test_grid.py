"""All architectures of a teacher, against those of many widths."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.students import convnet, residual_net, shrink, token_transformer
from keras_kd.students.shrinking.grid import architectures

# Every architecture of these nets has some of them.
WIDTHS = (*np.arange(0.003, 1, 0.016), 1.0)


def grouped():
    x = inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(24, 3, activation="relu")(x)
    a = layers.Conv2D(40, 3, groups=4)(x)
    b = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.Flatten()(layers.Concatenate()([a, b]))
    return keras.Model(inputs, layers.Dense(3)(layers.Dense(20)(x)))


NETS = {
    "convnet": (lambda: convnet((6, 6, 1), 5, width=20), 1.0, 4),
    "deep": (
        lambda: residual_net((6, 6, 1), 5, width=12, stages=1, blocks=3),
        0.5,
        2,
    ),
    "grouped": (grouped, 1.0, 4),
}


def shapes_of(model):
    return sorted(tuple(weight.shape) for weight in model.weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_they_are_those_of_all_widths(name):
    make, depth, divisor = NETS[name]
    net = make()
    found = architectures(net, depth=depth, divisor=divisor)
    students = [shrink(net, width=w, depth=depth, divisor=divisor) for w in WIDTHS]
    expected = {tuple(shapes_of(student)) for student in students}
    assert {tuple(sorted(one.shapes)) for one in found} == expected
    assert len(found) == len(expected)
    counts = sorted({student.count_params() for student in students})
    assert sorted({one.params for one in found}) == counts
    assert [one.params for one in found] == sorted(one.params for one in found)


@pytest.mark.slow
def test_each_width_gives_its_architecture_with_whole_heads_too():
    net = token_transformer(6, 20, 3, width=32, blocks=1, heads=4)
    found = architectures(net, divisor=4)
    for one in found:
        student = shrink(net, width=one.width, divisor=4)
        assert shapes_of(student) == sorted(one.shapes)
        assert student.count_params() == one.params
    kernels = {shape for one in found for shape in one.shapes if len(shape) == 3}
    # Two whole heads of 8 at width 0.5, four smaller ones elsewhere.
    assert {(16, 2, 8), (16, 4, 4)} <= kernels
    assert len({one.shapes for one in found}) == len(found)


def test_all_of_the_teacher_is_the_last():
    net = convnet((6, 6, 1), 5, width=20)
    last = architectures(net)[-1]
    assert (last.width, last.params) == (1.0, net.count_params())

"""A student that begins with the teacher's most important channels."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.students import shrink

IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
# Half of 8 channels, in no regular order.
ALIVE = [1, 2, 6, 7]
DEAD = [0, 3, 4, 5]


def residual_net(filters=8):
    """Two residual blocks of convolution and BatchNormalization, and a dense head."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(filters, 3, padding="same", name="stem")(inputs)
    for n in (1, 2):
        y = layers.Conv2D(filters, 3, padding="same", name=f"conv_{n}")(x)
        y = layers.BatchNormalization(name=f"norm_{n}")(y)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.Conv2D(filters, 1, activation="relu", name="last")(x)
    return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))


def randomise(model):
    """Weights as after training: no two channels alike."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.uniform(0.1, 1, weight.shape) * random.choice([-1, 1]))
        if weight.name == "moving_variance":
            weight.assign(random.uniform(0.5, 2, weight.shape))


def silence(model, channels):
    """Makes `channels` of every convolution exactly zero."""
    for layer in model.layers:
        axis = -2 if layer.name == "depthwise" else -1
        for weight in layer.weights:
            if layer is model.layers[-1] or weight.name.startswith("moving"):
                continue
            value = np.array(weight)
            np.moveaxis(value, axis if value.ndim > 1 else -1, 0)[channels] = 0
            weight.assign(value)


@pytest.mark.parametrize("data", [None, IMAGES])
def test_student_equals_a_teacher_whose_other_channels_are_zero(data):
    teacher = residual_net()
    randomise(teacher)
    silence(teacher, DEAD)
    student = shrink(teacher, width=0.5, divisor=1, init="teacher", data=data)
    np.testing.assert_allclose(student(IMAGES), teacher(IMAGES), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(
        student.get_layer("conv_2").kernel,
        np.array(teacher.get_layer("conv_2").kernel)[..., ALIVE, :][..., ALIVE],
    )


def test_all_channels_of_width_one_give_the_teachers_outputs():
    teacher = residual_net()
    randomise(teacher)
    student = shrink(teacher, width=1.0, init="teacher")
    np.testing.assert_array_equal(student(IMAGES), teacher(IMAGES))


def test_random_student_differs():
    teacher = residual_net()
    student = shrink(teacher, width=1.0)
    assert np.abs(student(IMAGES) - teacher(IMAGES)).max() > 1e-3


def test_flatten_takes_the_channels_of_every_position():
    inputs = keras.Input((2, 2, 3))
    x = layers.Conv2D(2, 1)(inputs)
    teacher = keras.Model(inputs, layers.Dense(4)(layers.Flatten()(x)))
    silence_first = np.ones((1, 1, 3, 2)) * [0, 1]
    teacher.layers[1].set_weights([silence_first, np.array([0, 1])])
    student = shrink(teacher, width=0.5, divisor=1, init="teacher")
    by_hand = np.array(teacher.layers[-1].kernel).reshape(4, 2, 4)[:, 1]
    np.testing.assert_array_equal(student.layers[-1].kernel, by_hand)


def test_data_decides_where_weights_are_alike():
    """The second input is always zero, so the channels that see it send nothing."""
    inputs = keras.Input((2,))
    hidden = layers.Dense(4, use_bias=False)
    teacher = keras.Model(inputs, layers.Dense(1)(hidden(inputs)))
    hidden.set_weights([np.array([[0.0, 1, 0, 1], [2, 0, 2, 0]])])
    teacher.layers[-1].set_weights([np.ones((4, 1)), np.zeros(1)])
    arguments = {"width": 0.5, "divisor": 1, "init": "teacher"}
    by_weights = shrink(teacher, **arguments)
    x = np.array([[1.0, 0.0], [-2.0, 0.0]])
    on_data = shrink(teacher, **arguments, data=x)
    np.testing.assert_array_equal(by_weights.layers[1].kernel, [[0, 0], [2, 2]])
    np.testing.assert_array_equal(on_data.layers[1].kernel, [[1, 1], [0, 0]])
    np.testing.assert_allclose(on_data(x), teacher(x))


def test_scores_are_products_of_normalised_norms_by_hand():
    """Producer, scale and consumer: only the product orders them so."""
    inputs = keras.Input((1,))
    hidden = layers.Dense(3, use_bias=False)
    norm = layers.BatchNormalization(center=False)
    head = layers.Dense(1, use_bias=False)
    teacher = keras.Model(inputs, head(norm(hidden(inputs))))
    produced, scaled, consumed = [3.0, 1, 2], [1.0, 2, 2], [1.0, 4, 1]
    hidden.set_weights([np.array([produced])])
    norm.gamma.assign(scaled)
    head.set_weights([np.array(consumed)[:, None]])
    best = np.argmax(np.square(produced) * np.square(scaled) * np.square(consumed))
    student = shrink(teacher, width=1 / 3, divisor=1, init="teacher")
    np.testing.assert_array_equal(student.layers[-1].kernel, [[consumed[best]]])


def test_several_inputs_take_a_list_of_data():
    a, b = keras.Input((4,)), keras.Input((2,))
    x = layers.Concatenate()([layers.Dense(16)(a), layers.Dense(16)(b)])
    teacher = keras.Model([a, b], layers.Dense(1)(x))
    data = [np.ones((5, 4)), np.zeros((5, 2))]
    student = shrink(teacher, width=0.5, init="teacher", data=data)
    assert student.count_params() == (4 * 8 + 8) + (2 * 8 + 8) + 16 + 1

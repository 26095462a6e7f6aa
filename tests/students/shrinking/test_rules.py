"""Every kind of layer: the same at width 1, and smaller below."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.students import Scaling, register_rule, shrink


def conv(filters, size=1, **options):
    return layers.Conv2D(filters, size, **options)


def gated(x):
    first, second = ops.split(layers.Dense(64)(x), 2, axis=-1)
    return first * ops.sigmoid(second)


def shuffled(x):
    x = layers.Reshape((6, 6, 4, 8))(conv(32)(x))
    x = layers.Reshape((6, 6, 32))(layers.Permute((1, 2, 4, 3))(x))
    return conv(8, 3, groups=4)(x)


def attention_by_hand(x):
    query, key, value = (layers.Reshape((6, 4, 16))(layers.Dense(64)(x)) for _ in "qkv")
    query, key, value = (ops.transpose(t, (0, 2, 1, 3)) for t in (query, key, value))
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
    mixed = ops.matmul(ops.softmax(scores / 4.0), value)
    return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, 6, 64))


def spatial_attention(x):
    x = conv(32)(x)
    both = [ops.mean(x, -1, keepdims=True), ops.max(x, -1, keepdims=True)]
    return x * conv(1, 3, padding="same")(layers.Concatenate()(both))


def squeeze_and_excite(x):
    x = conv(32)(x)
    y = layers.Reshape((1, 1, 32))(layers.GlobalAveragePooling2D()(x))
    return layers.Multiply()([x, conv(32)(conv(16)(y)) * (1.0 / 6.0)])


def to_itself(layer, list_of_two=False):
    def make(x):
        x = layers.Dense(32)(x)
        return layer([x, x]) if list_of_two else layer(x, x)

    return make


def mixer(x):
    x = layers.Permute((2, 1))(layers.Dense(64)(x))
    return layers.Permute((2, 1))(layers.Dense(6)(layers.Dense(32)(x)))


def einsum(x):
    x = layers.EinsumDense("...x,xy->...y", 32, bias_axes="y")(x)
    return layers.EinsumDense("abc,cde->abde", (6, 4, 16), bias_axes="de")(x)


IMAGE, SEQUENCE = (6, 6, 3), (6, 8)
BOTH_WAYS = {"layer": layers.GRU(16, return_sequences=True)}
CASES = {
    "depthwise by groups": (IMAGE, lambda x: conv(32, 3, groups=16)(conv(16)(x))),
    "depthwise": (
        IMAGE,
        lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2)(conv(16)(x)),
    ),
    "einsum": (SEQUENCE, einsum),
    "gated": (SEQUENCE, gated),
    "group normalization": (
        IMAGE,
        lambda x: layers.GroupNormalization(4)(conv(32)(x)),
    ),
    "grouped": (IMAGE, lambda x: conv(64, 3, groups=4)(conv(32)(x))),
    "grouped query": (SEQUENCE, to_itself(layers.GroupQueryAttention(16, 4, 2))),
    "instance normalization": (
        IMAGE,
        lambda x: layers.GroupNormalization(-1)(conv(32)(x)),
    ),
    "heads": (SEQUENCE, to_itself(layers.MultiHeadAttention(4, 8, value_dim=16))),
    "heads by hand": (SEQUENCE, attention_by_hand),
    "additive attention": (SEQUENCE, to_itself(layers.AdditiveAttention(), True)),
    "attention": (SEQUENCE, to_itself(layers.Attention(use_scale=True), True)),
    "mixer": (SEQUENCE, mixer),
    "normalizations": (
        SEQUENCE,
        lambda x: layers.RMSNormalization()(layers.LayerNormalization()(gated(x))),
    ),
    "one-dimensional": (
        SEQUENCE,
        lambda x: layers.SeparableConv1D(32, 3)(layers.Conv1DTranspose(16, 3)(x)),
    ),
    "parametric relu": (IMAGE, lambda x: layers.PReLU()(conv(32)(x))),
    "recurrent": (
        SEQUENCE,
        lambda x: layers.LSTM(32)(layers.SimpleRNN(16, return_sequences=True)(x)),
    ),
    "reshaped dense": (
        IMAGE,
        lambda x: conv(8, 3)(
            layers.Reshape((4, 4, 32))(layers.Dense(512)(layers.Flatten()(x)))
        ),
    ),
    "separable": (
        IMAGE,
        lambda x: layers.SeparableConv2D(32, 3, depth_multiplier=2)(conv(16)(x)),
    ),
    "shared": (
        IMAGE,
        lambda x: (lambda c: c(c(conv(32)(x))))(conv(32, 3, padding="same")),
    ),
    "shuffled": (IMAGE, shuffled),
    "slice": (SEQUENCE, lambda x: layers.Dense(32)(x)[:, 1:3, :]),
    "spatial attention": (IMAGE, spatial_attention),
    "squeeze and excite": (IMAGE, squeeze_and_excite),
    "time distributed": (
        (2, *IMAGE),
        lambda x: layers.TimeDistributed(conv(8, 3))(
            layers.TimeDistributed(layers.DepthwiseConv2D(2))(
                layers.TimeDistributed(conv(16))(x)
            )
        ),
    ),
    "transposed": (IMAGE, lambda x: layers.Conv2DTranspose(16, 3)(conv(32)(x))),
    "two ways": (
        SEQUENCE,
        lambda x: layers.Bidirectional(layers.LSTM(16))(
            layers.Bidirectional(layers.GRU(16, return_sequences=True))(x)
        ),
    ),
}


def model_of(name):
    shape, make = CASES[name]
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(make(inputs))))
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.1, 1, weight.shape))
    return model, random.normal(size=(2, *shape)).astype("float32")


@pytest.mark.parametrize("name", CASES)
def test_width_one_equals_the_teacher_and_half_is_smaller(name):
    teacher, x = model_of(name)
    same = shrink(teacher, width=1.0, init="teacher")
    np.testing.assert_array_equal(same(x), teacher(x))
    half = shrink(teacher, width=0.5, init="teacher", data=x)
    assert half(x).shape == (2, 3)
    assert 0.2 < half.count_params() / teacher.count_params() < 0.75


def test_grouped_convolution_has_the_parameters_by_hand():
    """Groups stay; channels in each halve."""
    teacher, _ = model_of("grouped")
    student = shrink(teacher, width=0.5)
    grouped = student.layers[2]
    assert (grouped.groups, grouped.filters) == (4, 32)
    by_hand = (3 * 16 + 16) + (9 * 4 * 32 + 32) + (4 * 4 * 32 * 3 + 3)
    assert student.count_params() == by_hand


def test_concatenated_channels_keep_their_places():
    inputs = keras.Input((4,))
    a, b = layers.Dense(2, name="a"), layers.Dense(4, name="b")
    joined = layers.Concatenate()([a(inputs), inputs, b(inputs)])
    teacher = keras.Model(inputs, layers.Dense(1)(joined))
    for layer, alive in ((a, [0, 1]), (b, [1, 0, 0, 1])):
        layer.set_weights([np.ones((4, 1)) * alive, np.zeros(len(alive))])
    student = shrink(teacher, width=0.5, divisor=1, init="teacher")
    by_hand = np.array(teacher.layers[-1].kernel)[[1, 2, 3, 4, 5, 6, 9]]
    np.testing.assert_array_equal(student.layers[-1].kernel, by_hand)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: layers.Lambda(lambda t: 2 * t)(x), '"lambda.*it has no rule'),
        (lambda x: x[..., :4], "takes some channels by their place"),
        (lambda x: x * np.arange(16.0), "a constant for each channel"),
        (lambda x: ops.split(x, [4], axis=-1)[0], "splits the channels at given"),
    ],
)
def test_what_cannot_be_followed_is_named(make, message):
    inputs = keras.Input((4,))
    teacher = keras.Model(inputs, layers.Dense(2)(make(layers.Dense(16)(inputs))))
    with pytest.raises(ValueError, match=f"{message}.*register_rule"):
        shrink(teacher)


@keras.saving.register_keras_serializable("keras_kd_tests")
class Gain(layers.Layer):
    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.gain = self.add_weight(shape=(channels,), initializer="uniform")

    def call(self, x):
        return x * self.gain

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}


class OtherGain(Gain):
    pass


def gain_rule(call):
    channels = call.inputs[0].axes[-1]
    return Scaling(
        outputs=[call.inputs[0].axes],
        config={"channels": channels},
        weights=[(call.layer.gain, (channels,))],
    )


def gain_net(kind):
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(32), kind(32), layers.Dense(2)]
    )


def test_registered_rule_is_followed_by_subclasses_too():
    teacher = gain_net(OtherGain)
    with pytest.raises(ValueError, match=r"register_rule\(OtherGain, rule\)"):
        shrink(teacher)
    register_rule(Gain, gain_rule)
    student = shrink(teacher, width=0.25, init="teacher")
    assert type(student.layers[1]) is OtherGain
    assert student.layers[1].channels == 8
    assert set(np.array(student.layers[1].gain)) < set(np.array(teacher.layers[1].gain))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda call: None, "to return a Scaling, got NoneType"),
        (lambda call: Scaling(outputs=[]), "names other outputs or weights"),
        (lambda call: Scaling(outputs=[(None,)]), "other axes than its shape"),
        (
            lambda call: Scaling(outputs=[call.inputs[0].axes], config={"bad": 1}),
            "cannot be made from its config",
        ),
        (lambda call: Scaling(outputs=[call.inputs[0].axes]), "its copy fails"),
    ],
)
def test_wrong_rule_is_named(rule, message):
    class Wrong(Gain):
        pass

    register_rule(Wrong, rule)
    with pytest.raises(ValueError, match=message):
        shrink(gain_net(Wrong), width=0.5)


def test_rule_is_registered_for_a_class_and_can_be_called():
    with pytest.raises(ValueError, match="a class of layers"):
        register_rule(layers.Dense(2), gain_rule)
    with pytest.raises(ValueError, match="a rule that can be called"):
        register_rule(Gain, "same")

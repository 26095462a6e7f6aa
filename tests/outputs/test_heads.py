"""Probabilities are recognised wherever they are made, and innocent logits pass."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.data import Examples
from keras_kd.outputs import Head, check_logits, find_head, forward, logits_of
from keras_kd.teachers import FrozenTeacher

generator = np.random.default_rng(0)
X = generator.normal(size=(8, 4, 4, 2)).astype("float32")

CONVOLUTIONS = [
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.SeparableConv2D,
]


def sequential(*stack):
    return keras.Sequential([keras.Input((4, 4, 2)), *stack])


def logits(model, head=None):
    return forward(model, X, head=head or find_head(model))[1].logits


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("layer", CONVOLUTIONS)
def test_an_activation_inside_any_convolution_is_opened(layer, activation):
    model = sequential(layer(3, 3, activation=activation))
    plain = sequential(layer(3, 3))
    plain.set_weights(model.get_weights())
    assert find_head(model).activation == activation
    np.testing.assert_allclose(logits(model), plain(X), atol=1e-6)


def test_an_activation_inside_a_depthwise_convolution_is_opened():
    model = sequential(layers.DepthwiseConv2D(3, activation="softmax"))
    plain = sequential(layers.DepthwiseConv2D(3))
    plain.set_weights(model.get_weights())
    np.testing.assert_allclose(logits(model), plain(X), atol=1e-6)


SAME = {
    "linear in float32": lambda: layers.Activation("linear", dtype="float32"),
    "identity": layers.Identity,
    "penalty": lambda: layers.ActivityRegularization(l1=0.1),
    "reshape": lambda: layers.Reshape((16, 3)),
}


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("how", ["sequential", "nested", "functional"])
def test_activations_before_what_changes_no_number_are_opened(how, kind, activation):
    dense, same = layers.Dense(3, activation=activation), SAME[kind]()
    if how == "nested":
        model = sequential(keras.Sequential([keras.Input((4, 4, 2)), dense]), same)
    elif how == "sequential":
        model = sequential(dense, same, layers.Identity())
    else:
        inputs = keras.Input((4, 4, 2))
        model = keras.Model(inputs, same(dense(inputs)))
    assert find_head(model).activation == (activation or "linear")
    exact = X @ dense.kernel.numpy()
    found = logits(model)
    assert found.shape == model(X).shape
    np.testing.assert_allclose(found, exact.reshape(found.shape), atol=1e-5)


def test_a_softmax_over_other_groups_than_the_last_axis_is_not_taken_for_one():
    model = sequential(layers.Dense(2, activation="softmax"), layers.Flatten())
    assert find_head(model).activation == "unknown"
    with pytest.raises(ValueError, match="like probabilities"):
        FrozenTeacher(model).check_answer("here", Examples(X))
    labels = sequential(layers.Dense(2, activation="sigmoid"), layers.Flatten())
    assert find_head(labels).activation == "sigmoid"


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("around", [layers.TimeDistributed, "model"])
def test_an_activation_at_each_step_in_time_is_recognised(around, activation):
    dense = layers.Dense(3, activation=activation)
    inner = dense
    if around == "model":
        inner, around = keras.Sequential([dense]), layers.TimeDistributed
    model = keras.Sequential([keras.Input((5, 4)), around(inner)])
    head = find_head(model)
    assert head.activation == activation
    x = generator.normal(size=(3, 5, 4)).astype("float32")
    predictions, outputs = forward(model, x, head=head)
    back = keras.activations.get(activation)(outputs.logits)
    np.testing.assert_allclose(back, predictions, rtol=1e-5)


def test_softmax_given_as_a_layer_is_recognised():
    model = sequential(layers.Dense(3, activation=layers.Softmax()))
    back = keras.ops.softmax(logits(model))
    np.testing.assert_allclose(back, model(X), rtol=1e-5)


class Scores(keras.Model):
    """A head that no one recognises."""

    def __init__(self, units, activation=None, **kwargs):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.dense = layers.Dense(units, activation=activation, **kwargs)

    def call(self, x):
        return self.dense(self.hidden(keras.ops.reshape(x, (-1, 32))))


def check(model, role="student"):
    """`check_logits` as `fit` has it."""
    head = find_head(model)
    answer = forward(model, X, head=head)[1].logits
    check_logits("here", answer, head, role, model=model, inputs=X)


@pytest.mark.parametrize("units", [1, 2])
def test_fresh_logits_that_lie_in_the_unit_range_by_luck_are_no_probabilities(units):
    lucky = 0
    for seed in range(20):
        keras.utils.set_random_seed(seed)
        # Nearly one answer for all, as of a fresh model.
        bias = keras.initializers.RandomUniform(-1, 1)
        model = Scores(units, kernel_initializer="zeros", bias_initializer=bias)
        values = np.array(model(X))
        lucky += values.min() >= 0 and values.max() <= 1
        check(model)
    assert lucky >= 2


@pytest.mark.parametrize("units", [1, 3])
def test_zeros_of_a_head_that_is_initialised_to_zero_are_no_probabilities(units):
    check(Scores(units, kernel_initializer="zeros"))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("kernel", ["zeros", "glorot_uniform"])
@pytest.mark.parametrize(
    ("units", "activation"), [(1, "sigmoid"), (3, "sigmoid"), (3, "softmax")]
)
def test_probabilities_of_an_unknown_head_are_asked_about(
    units, activation, kernel, frozen
):
    model = Scores(units, activation, kernel_initializer=kernel)
    model(X)
    model.trainable = not frozen
    before = model.get_weights()
    with pytest.raises(ValueError, match="like probabilities"):
        check(model)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("scale", [1.5, -0.5])
def test_from_logits_false_is_checked_for_sigmoids_as_for_softmax(scale):
    inputs = keras.Input((4, 4, 2))
    x = layers.Dense(1, activation="sigmoid")(layers.Flatten()(inputs))
    for factor in (1.0, scale):
        model = keras.Model(inputs, factor * x + (factor == 1.5) * 0.6)
        head = find_head(model, from_logits=False)
        assert head.activation == "sigmoid"
        answer = forward(model, X, head=head)[1].logits
        if factor == 1.0:
            check_logits("here", answer, head, "student")
            continue
        with pytest.raises(ValueError, match=r"values outside \[0, 1\]"):
            check_logits("here", answer, head, "student")


def test_certain_answers_of_a_sigmoid_are_probabilities():
    head = Head("sigmoid")
    check_logits("here", logits_of([[0.0], [1.0], [1e-30]], head), head, "teacher")


def test_one_unit_of_a_subclassed_model_is_a_sigmoid():
    model = Scores(1, "sigmoid")
    head = find_head(model, from_logits=False)
    answer = logits(model, head)
    np.testing.assert_allclose(keras.ops.sigmoid(answer), model(X), rtol=1e-5)
    check_logits("here", answer, head, "student")

"""Logits and features of every kind of model, from one pass."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_kd.outputs import find_head, forward, layer_paths
from keras_kd.outputs.recording import record

X = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype("float32")


def run(model, paths=(), **kwargs):
    return forward(model, X, head=find_head(model), layers=paths, **kwargs)


def nested():
    backbone = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, name="block_1"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(2, 3, name="block_2"),
        ],
        name="backbone",
    )
    inputs = keras.Input((8, 8, 1))
    x = layers.Flatten()(backbone(inputs))
    return keras.Model(inputs, layers.Dense(3, name="scores")(x))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4, name="first")
        self.head = layers.Dense(3, name="head", activation="softmax")

    def call(self, inputs):
        return self.head(self.first(layers.Flatten()(inputs)))


def test_nested_features_equal_the_layers_own_outputs():
    model = nested()
    _, outputs = run(model, ["backbone/block_1", "backbone/block_2", "backbone"])
    backbone = model.get_layer("backbone")
    block_1 = backbone.get_layer("block_1")(X)
    np.testing.assert_allclose(outputs.features["backbone/block_1"], block_1, rtol=1e-6)
    np.testing.assert_allclose(
        outputs.features["backbone/block_2"], backbone(X), rtol=1e-6
    )
    np.testing.assert_allclose(outputs.features["backbone"], backbone(X), rtol=1e-6)


def test_subclassed_model_gives_features_by_the_names_of_its_sublayers():
    model = Subclassed()
    model(X)
    _, outputs = run(model, ["first"])
    expected = model.first(X.reshape(3, -1))
    np.testing.assert_allclose(outputs.features["first"], expected, rtol=1e-6)


def test_features_in_a_compiled_graph_equal_eager_ones():
    model = nested()
    eager = run(model, ["backbone/block_1"])[1].features["backbone/block_1"]

    @tf.function
    def traced(x):
        head = find_head(model)
        outputs = forward(model, x, head=head, layers=["backbone/block_1"])[1]
        return outputs.features["backbone/block_1"]

    np.testing.assert_allclose(traced(X), eager, rtol=1e-6)


def test_one_pass_moves_batch_normalisation_once():
    model = nested()
    norm = model.get_layer("backbone").get_layer("norm")
    batch = model.get_layer("backbone").get_layer("block_1")(X)
    run(model, ["backbone/block_2", "backbone/norm"], training=True)
    mean = np.mean(batch, axis=(0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, 0.01 * mean, rtol=1e-4, atol=1e-7)


def test_model_is_left_as_it_was():
    model = nested()
    before = {path: dict(vars(layer)) for path, layer in layer_paths(model).items()}
    run(model, ["backbone/block_1"])
    with pytest.raises(ValueError, match="shape"):
        forward(model, X[:, :2], head=find_head(model), layers=["backbone/block_1"])
    after = {path: dict(vars(layer)) for path, layer in layer_paths(model).items()}
    for path, attributes in before.items():
        assert "call" not in after[path], path
        assert set(after[path]) >= set(attributes), path


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_logits_before_an_activation_are_exact(activation):
    inputs = keras.Input((8, 8, 1))
    logits = layers.Dense(3)(layers.Flatten()(inputs)) * 300.0
    model = keras.Model(inputs, layers.Activation(activation)(logits))
    _, outputs = run(model)
    np.testing.assert_array_equal(outputs.logits, keras.Model(inputs, logits)(X))


def test_head_inside_a_nested_model_is_opened():
    inner = keras.Sequential([keras.Input((64,)), layers.Dense(3), layers.Softmax()])
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), inner])
    predictions, outputs = run(model)
    np.testing.assert_allclose(
        keras.ops.softmax(outputs.logits), predictions, rtol=1e-5
    )
    np.testing.assert_array_equal(outputs.logits, inner.layers[0](X.reshape(3, -1)))


def test_dense_with_softmax_gives_its_pre_activation():
    model = Subclassed()
    model(X)
    assert find_head(model).activation == "unknown"
    head = find_head(model, from_logits=False)
    predictions, outputs = forward(model, X, head=head)
    np.testing.assert_allclose(
        keras.ops.softmax(outputs.logits), predictions, rtol=1e-5
    )


def test_override_is_for_heads_that_are_not_recognised():
    model = Subclassed()
    model(X)
    assert find_head(model, from_logits=True).activation == "linear"
    assert find_head(model, from_logits=False).gives_probabilities
    with pytest.raises(ValueError, match="as its head"):
        find_head(nested(), from_logits=False)


def test_recurrent_layers_do_not_count_as_heads():
    stack = [keras.Input((8, 8)), layers.LSTM(3, activation="sigmoid")]
    assert find_head(keras.Sequential(stack)).activation == "unknown"


def test_features_of_a_model_that_was_never_called():
    _, outputs = run(Subclassed(), ["first"])
    assert outputs.features["first"].shape == (3, 4)


def test_outputs_are_float32_also_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = nested()
    finally:
        keras.config.set_dtype_policy("float32")
    predictions, outputs = run(model, ["backbone/block_1"])
    assert predictions.dtype == "float16"
    assert outputs.logits.dtype == "float32"
    assert outputs.features["backbone/block_1"].dtype == "float32"


def test_unknown_path_lists_near_matches():
    with pytest.raises(ValueError, match='Did you mean "backbone/block_1"'):
        run(nested(), ["backbone/blok_1"])


def test_layer_that_runs_twice_is_an_error():
    shared = layers.Dense(64, name="shared")
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), shared])
    inputs = keras.Input((8, 8, 1))
    x = layers.Flatten()(inputs)
    model = keras.Model(inputs, layers.Dense(3)(shared(shared(x))))
    with pytest.raises(ValueError, match='"shared" to run once'):
        run(model, ["shared"])


def test_several_outputs_are_an_error():
    inputs = keras.Input((8, 8, 1))
    x = layers.Flatten()(inputs)
    model = keras.Model(inputs, [layers.Dense(3)(x), layers.Dense(2)(x)])
    with pytest.raises(ValueError, match="one output"):
        find_head(model)


def test_threads_record_only_their_own_calls():
    layer = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    layer.build((None, 1))
    seen, ready = {}, threading.Barrier(2)

    def work(value):
        with record([(layer, "call")]) as calls:
            ready.wait()  # both are recording the same layer now
            layer(np.full((1, 1), value, "float32"))
            ready.wait()
        (call,) = calls[(id(layer), "call")]
        seen[value] = float(call.result[0, 0])

    threads = [threading.Thread(target=work, args=(value,)) for value in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {1.0: 1.0, 2.0: 2.0}
    assert "call" not in vars(layer)

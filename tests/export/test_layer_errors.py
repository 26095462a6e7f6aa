"""Layers of files are matched with those of Keras, and the one that broke is named."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers

from keras_kd.export import _inside, convert, verify
from keras_kd.export.layer_errors import _dequantise
from keras_kd.outputs import layer_paths
from tests.export.architectures import trained

# Kinds of layers that the converter takes apart or merges in ways of their own.
NAMES = ("mobilenet_v3", "vision_transformer", "mlp_layer_norm", "lstm_unrolled")


def compared(model, path, x, **options):
    convert(model, path, calibration_data=x, **{"precision": "float32"} | options)
    y = np.zeros(len(x), "int64")
    return verify(path, model, (x, y), layer_examples=24).layers


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_layers_of_a_float_file_are_those_of_keras(name, tmp_path):
    """A tensor that is matched with the wrong layer would show as a large error."""
    model, x, _ = trained(name)
    found = compared(model, tmp_path / "m.tflite", x)
    assert max(layer.error for layer in found) < 1e-5
    assert len(found) == len({layer.layer for layer in found})
    # Those that are not found are merged with the next one.
    assert len(found) > 0.6 * len(layer_paths(model))
    assert found[0].layer == "input"
    assert found[-1].layer == model.layers[-1].name


def branches():
    """A residual block, so that errors have two ways."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="inner")(x)
    y = layers.Conv2D(4, 3, padding="same", name="outer")(y)
    x = layers.Add(name="add")([x, y])
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, layers.Dense(3, name="scores")(x), name="net")


@pytest.mark.quick_for("inner")
@pytest.mark.parametrize("name", ["first", "inner", "outer", "scores"])
def test_layer_that_broke_is_the_worst(name, tmp_path):
    model = branches()
    path = tmp_path / "m.tflite"
    convert(model, path, precision="float32")
    kernel = model.get_layer(name).kernel
    kernel.assign(keras.random.normal(kernel.shape))
    x = np.random.default_rng(0).random((16, 8, 8, 1), dtype="float32")
    result = verify(path, model, (x, np.zeros(16, int)))
    assert result.worst_layer.layer == name
    assert result.worst_layer.error > 0.3
    before = result.layers[: result.layers.index(result.worst_layer)]
    assert all(layer.error < 1e-5 for layer in before)


def test_errors_are_those_of_a_loop(tmp_path):
    model = branches()
    path = tmp_path / "m.tflite"
    x = np.random.default_rng(0).random((10, 8, 8, 1), dtype="float32")
    y = np.zeros(10, "int64")
    convert(model, path, precision="int8", calibration_data=x)
    found = {layer.layer: layer for layer in verify(path, model, (x, y)).layers}
    interpreter = Interpreter(
        str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    [inner] = [
        tensor
        for tensor in interpreter.get_tensor_details()
        if tensor["name"].startswith("net_1/inner_1/Relu")
    ]
    until_inner = keras.Model(model.inputs, model.get_layer("inner").output)
    differences, values = [], []
    for example, expected in zip(x, until_inner.predict(x, verbose=0), strict=True):
        scale, zero_point = given["quantization"]
        whole = np.clip(np.round(example / scale) + zero_point, -128, 127)
        interpreter.set_tensor(given["index"], whole[None].astype("int8"))
        interpreter.invoke()
        scale, zero_point = inner["quantization"]
        raw = interpreter.get_tensor(inner["index"])[0].astype("float64")
        differences.append((scale * (raw - zero_point) - expected) ** 2)
        values.append(expected.astype("float64") ** 2)
    expected = np.sqrt(np.sum(differences) / np.sum(values))
    assert expected > 1e-3
    assert found["inner"].error == pytest.approx(expected, rel=1e-4)
    assert found["inner"].dtype == "int8"
    assert found["inner"].operation == "CONV_2D"
    came_in = found["inner"].error - found["first"].error
    assert found["inner"].added == pytest.approx(came_in)
    came_in = max(found["first"].error, found["outer"].error)
    assert found["add"].added == pytest.approx(found["add"].error - came_in)


def test_scales_of_one_tensor_or_of_each_channel():
    raw = np.array([[1, 2], [3, 4]], "int8")
    quantization = schema.QuantizationParametersT(
        scale=np.array([0.5, 10.0]), zeroPoint=np.array([0, 1]), quantizedDimension=1
    )
    tensor = schema.TensorT(quantization=quantization)
    assert _dequantise(raw, tensor).tolist() == [[0.5, 10.0], [1.5, 30.0]]
    quantization.quantizedDimension = 0
    assert _dequantise(raw, tensor).tolist() == [[0.5, 1.0], [20.0, 30.0]]
    quantization.scale, quantization.zeroPoint = np.array([2.0]), np.array([-1])
    assert _dequantise(raw, tensor).tolist() == [[4.0, 6.0], [8.0, 10.0]]
    assert _dequantise(raw, schema.TensorT()).tolist() == raw.tolist()


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="net")
        self.body = layers.Dense(6, activation="relu", name="body")
        self.head = layers.Dense(3, name="head")

    def call(self, inputs):
        return self.head(self.body(self.body(inputs)) + 0.0 * self.body(inputs))


@pytest.mark.slow
def test_nested_and_subclassed_models(tmp_path):
    inputs = keras.Input((6,))
    inner = keras.Sequential(
        [layers.Dense(6, activation="tanh", name="deep"), layers.ReLU(name="last")],
        name="backbone",
    )
    outputs = layers.Dense(3, name="head")(inner(inputs))
    nested = keras.Model(inputs, outputs)
    x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
    found = compared(nested, tmp_path / "m.tflite", x)
    names = ["input", "backbone/deep", "backbone/last", "head"]
    assert [layer.layer for layer in found] == names
    assert max(layer.error for layer in found) < 1e-5
    subclassed = Subclassed()
    subclassed(x)
    found = compared(subclassed, tmp_path / "m.tflite", x)
    # "body" runs three times: it cannot be told which of them is meant.
    assert [layer.layer for layer in found] == ["input", "head"]
    assert max(layer.error for layer in found) < 1e-5


def test_wrong_calibration_shows_at_the_input(tmp_path):
    model = branches()
    x = np.random.default_rng(0).random((16, 8, 8, 1), dtype="float32")
    path = tmp_path / "m.tflite"
    convert(model, path, precision="int8", calibration_data=x / 255)
    result = verify(path, model, (x, np.zeros(16, int)))
    assert result.worst_layer.layer == "input"
    assert result.worst_layer.error > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGABRT)", "with signal 6"),
        ("raise RuntimeError('no kernel')", "no kernel"),
        ("print('no pickle', flush=True)", "LiteRT's kernels without delegates"),
    ],
)
def test_kernels_that_crash_cost_the_layers_only(program, said, tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(program)
    model = branches()
    convert(model, tmp_path / "m.tflite", precision="float32")
    monkeypatch.setattr(_inside, "_PROGRAM", tmp_path / "program.py")
    # More than a pipe holds.
    x, y = np.zeros((3, 8, 8, 1), "float32"), np.zeros(3, int)
    result = verify(tmp_path / "m.tflite", model, (x, y))
    assert result.layers == ()
    assert said in result.layers_missing
    assert result.examples == 3

"""What is said of a file, against counts by hand and by another program."""

import math

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers

from keras_kd.export import convert, inspect
from keras_kd.export._macs import macs


def write(path, model):
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def read(path):
    return schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)


@pytest.fixture(scope="module")
def convnet():
    """Every layer that multiplies, in one model of images."""
    keras.utils.set_random_seed(0)
    stack = [
        keras.Input((12, 12, 4)),
        layers.Conv2D(6, 3, strides=2, name="conv", activation="relu"),
        layers.BatchNormalization(name="norm"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise"),
        layers.Conv2D(8, 3, groups=2, padding="same", name="grouped"),
        layers.SeparableConv2D(10, 3, name="separable"),
        layers.Conv2DTranspose(3, 2, strides=2, name="transposed"),
        layers.Flatten(name="flat"),
        layers.Dense(5, name="hidden", activation="relu"),
        layers.Dense(3, name="scores"),
    ]
    return keras.Sequential(stack, name="net")


@pytest.fixture(scope="module")
def files(convnet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    x = np.random.default_rng(0).normal(size=(20, 12, 12, 4)).astype("float32")
    for precision in ("float32", "int8", "int4_weights"):
        path = folder / f"{precision}.tflite"
        convert(convnet, path, precision=precision, calibration_data=x)
    path = folder / "float_io.tflite"
    convert(convnet, path, precision="int8", calibration_data=x, float_io=True)
    return folder


def macs_of_keras(model):
    """Counted from the layers' weights and shapes, not from the file."""
    total = 0
    for layer in model.layers:
        made, taken = layer.output.shape[1:], layer.input.shape[1:]
        sizes = [weight.shape for weight in layer.weights if len(weight.shape) > 1]
        if isinstance(layer, layers.Conv2DTranspose):
            total += math.prod(taken[:2]) * math.prod(sizes[0])
        elif isinstance(layer, layers.Dense):
            total += math.prod(sizes[0])
        elif isinstance(layer, layers.SeparableConv2D | layers.DepthwiseConv2D):
            total += sum(math.prod(made[:2]) * math.prod(size) for size in sizes)
        elif isinstance(layer, layers.Conv2D):
            # Each filter sees its own group of channels only.
            total += math.prod(made[:2]) * math.prod(sizes[0])
    return total


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8", "int4_weights", "float_io"])
def test_multiplications_are_those_of_the_layers(files, convnet, precision):
    assert inspect(files / f"{precision}.tflite").macs == macs_of_keras(convnet)


def test_operations_tell_layer_shapes_and_types(files):
    found = inspect(files / "int8.tflite")
    conv = found.operations[0]
    assert (conv.name, conv.layer) == ("CONV_2D", "conv")
    assert [one.shape for one in conv.inputs] == [(1, 12, 12, 4), (6, 3, 3, 4), (6,)]
    assert [one.dtype for one in conv.inputs] == ["int8", "int8", "int32"]
    assert [one.is_constant for one in conv.inputs] == [False, True, True]
    assert conv.outputs[0].shape == (1, 5, 5, 6)
    assert conv.macs == 5 * 5 * 6 * 3 * 3 * 4
    assert conv.parameters == 6 * 3 * 3 * 4 + 6
    assert conv.weight_bytes == 6 * 3 * 3 * 4 + 4 * 6
    assert found.operations[-1].layer == "scores"
    assert found.inputs[0].scale > 0
    assert found.file == "int8.tflite"
    assert found.size_bytes == (files / "int8.tflite").stat().st_size


def test_weights_are_what_the_tensors_hold(files, convnet):
    found = inspect(files / "float32.tflite")
    weights = [weight for layer in convnet.layers for weight in layer.weights]
    kernels = sum(math.prod(w.shape) for w in weights if len(w.shape) > 1)
    vectors = sum(math.prod(w.shape) for w in weights if len(w.shape) == 1)
    assert kernels < found.parameters <= kernels + vectors
    model = read(files / "float32.tflite")
    used = {tensor.buffer for tensor in model.subgraphs[0].tensors}
    stored = [model.buffers[one].data for one in used]
    assert found.weight_bytes == sum(len(one) for one in stored if one is not None)
    small = inspect(files / "int4_weights.tflite")
    assert small.parameters >= kernels
    dense = [one for one in small.operations if one.layer == "hidden"]
    assert "int4" in {tensor.dtype for one in dense for tensor in one.inputs}
    # Two weights in a byte.
    kernel = math.prod(convnet.get_layer("hidden").kernel.shape)
    biases = 4 * 5
    assert kernel // 2 <= sum(one.weight_bytes for one in dense) <= kernel // 2 + biases


def test_weights_that_two_layers_share_count_once(tmp_path):
    inputs = keras.Input((6,))
    shared = layers.Dense(6, name="shared", use_bias=False)
    model = keras.Model(inputs, shared(shared(inputs)))
    path = tmp_path / "m.tflite"
    convert(model, path, precision="float32")
    found = inspect(path)
    assert (found.parameters, found.weight_bytes, found.macs) == (36, 144, 72)


def attention_model():
    inputs = keras.Input((7, 6))
    x = layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs)
    x = layers.LayerNormalization(name="norm")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def test_attention_by_hand_and_float_islands(tmp_path):
    steps, width, inner = 7, 6, 2 * 4
    model = attention_model()
    path = tmp_path / "m.tflite"
    x = np.random.default_rng(0).normal(size=(20, 7, 6)).astype("float32")
    convert(model, path, precision="int8", calibration_data=x)
    found = inspect(path)
    projections = 4 * steps * width * inner
    products = 2 * steps * steps * inner
    assert found.macs == projections + products + steps * width * 3
    assert {one.layer for one in found.float_islands} == {"norm"}
    assert not found.loops + found.not_builtin
    for one in found.float_islands:
        tensors = one.inputs + one.outputs
        assert "float32" in {t.dtype for t in tensors if not t.is_constant}


@pytest.mark.parametrize("name", ["float32", "int8", "int4_weights", "float_io"])
def test_no_float_islands_at_the_border_or_in_float_files(files, name):
    assert inspect(files / f"{name}.tflite").float_islands == ()


@pytest.mark.slow
def test_a_loop_costs_its_passes(tmp_path):
    found = {}
    for unroll in (False, True):
        reader = layers.LSTM(7, unroll=unroll, name="reader")
        model = keras.Sequential([keras.Input((9, 5)), reader, layers.Dense(3)])
        path = tmp_path / "m.tflite"
        convert(model, path, precision="float32")
        found[unroll] = inspect(path)
    by_hand = 9 * 4 * 7 * (5 + 7) + 7 * 3
    assert found[False].macs == by_hand
    # The first step's product with a state of zeros is left out.
    assert found[True].macs == by_hand - 4 * 7 * 7
    assert found[True].loops == ()
    (loop,) = found[False].loops
    assert (loop.layer, loop.iterations, loop.macs) == ("reader", 9, by_hand - 21)
    assert {one.graph for one in found[False].operations} == {0, 1, 2}


def test_a_loop_of_unknown_length_counts_one_pass(tmp_path):
    class Until(layers.Layer):
        """Doubles until the sum is large."""

        def call(self, inputs):
            return keras.ops.while_loop(
                lambda x: keras.ops.sum(x) < 100.0, lambda x: (x * 2.0,), (inputs,)
            )[0]

    model = keras.Sequential([keras.Input((4,)), Until(name="until"), layers.Dense(3)])
    path = tmp_path / "m.tflite"
    convert(model, path, precision="float32")
    found = inspect(path)
    (loop,) = found.loops
    assert (loop.layer, loop.iterations, found.macs) == ("until", None, 12)


def test_three_dimensions(tmp_path):
    stack = [keras.Input((4, 6, 6, 2)), layers.Conv3D(5, (2, 3, 3)), layers.Flatten()]
    path = tmp_path / "m.tflite"
    convert(keras.Sequential(stack), path, precision="float32")
    assert inspect(path).macs == (3 * 4 * 4 * 5) * (2 * 3 * 3 * 2)


def tensor(*shape):
    return schema.TensorT(shape=list(shape), type=schema.TensorType.FLOAT32)


def test_recurrent_and_transposed_products_by_hand():
    """Operations that the converter does not make of Keras layers."""
    sequence = [tensor(8, 1, 5)]  # time, batch, features
    sequence += [tensor(6, 5)] * 4 + [tensor(6, 6)] * 4 + [tensor(6)] * 4
    cost = macs("UNIDIRECTIONAL_SEQUENCE_LSTM", None, sequence, [tensor(8, 1, 6)])
    assert cost == 8 * 4 * 6 * (5 + 6)
    product = schema.OperatorT(builtinOptions=schema.BatchMatMulOptionsT(adjX=True))
    matrices = [tensor(2, 3, 4), tensor(2, 3, 5)]
    assert macs("BATCH_MATMUL", product, matrices, [tensor(2, 4, 5)]) == 2 * 4 * 5 * 3
    grown = [tensor(5), tensor(2, 2, 2, 3, 4), tensor(1, 3, 3, 3, 4)]
    cost = macs("CONV_3D_TRANSPOSE", None, grown, [tensor(1, 6, 6, 6, 3)])
    assert cost == 27 * 4 * 8 * 3


def test_custom_operations_are_named_by_layer(files, tmp_path):
    model = read(files / "float32.tflite")
    softened = model.subgraphs[0].operators[0]
    code = model.operatorCodes[softened.opcodeIndex]
    model.operatorCodes.append(
        schema.OperatorCodeT(
            builtinCode=schema.BuiltinOperator.CUSTOM,
            deprecatedBuiltinCode=schema.BuiltinOperator.CUSTOM,
            customCode=b"FlexErf",
            version=code.version,
        )
    )
    softened.opcodeIndex = len(model.operatorCodes) - 1
    softened.builtinOptions, softened.builtinOptionsType = None, 0
    found = inspect(write(tmp_path / "m.tflite", model))
    (custom,) = found.not_builtin
    assert (custom.name, custom.layer) == ("CUSTOM:FlexErf", "conv")


def test_sizes_that_are_open_are_none(files, tmp_path):
    model = read(files / "float32.tflite")
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shapeSignature = np.array([-1, 12, 12, 4], np.int32)
    found = inspect(write(tmp_path / "m.tflite", model))
    assert found.inputs[0].shape == (None, 12, 12, 4)
    assert found.operations[0].inputs[0].shape == (None, 12, 12, 4)


@pytest.mark.parametrize("content", [b"", b"text " * 100, None])
def test_damaged_files_are_an_error_that_says_so(files, tmp_path, content):
    path = tmp_path / "m.tflite"
    if content is None:
        whole = (files / "int8.tflite").read_bytes()
        content = whole[: len(whole) // 2]
    path.write_bytes(content)
    with pytest.raises(ValueError, match="expected a whole"):
        inspect(path)


def test_missing_file_is_an_error_that_says_so(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        inspect(tmp_path / "none.tflite")


def test_changed_bytes_never_do_worse_than_an_error(files, tmp_path):
    whole = (files / "int8.tflite").read_bytes()
    path = tmp_path / "m.tflite"
    generator = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        content = bytearray(whole)
        for place in generator.integers(0, len(whole), 4):
            content[place] = generator.integers(0, 256)
        path.write_bytes(bytes(content))
        try:
            inspect(path)
        except ValueError as error:
            assert "whole .tflite file" in str(error)  # noqa: PT017
            refused += 1
    assert refused > 10

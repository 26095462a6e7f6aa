"""Tensor names as TensorFlow 2.21 and Keras 3.15 wrote them."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers

from keras_kd.export import convert
from keras_kd.export._names import layer_names


@pytest.mark.parametrize(
    ("tensor_name", "expected"),
    [
        (
            "sequential_1/re_lu_1/Relu;sequential_1/conv_1/convolution",
            ("re_lu", "conv"),
        ),
        ("sequential_1/separable_conv2d_1/separable_conv2d1", ("separable_conv2d",)),
        (
            "net_1/separable_conv2d_2_1/separable_conv2d/depthwise1",
            ("separable_conv2d_2",),
        ),
        ("functional_4_1/neck_1/conv_1/convolution1", ("neck/conv",)),
        ("net_1/layer_normalization_1/moments/mean", ("layer_normalization",)),
        (
            "net_1/layer_normalization_1/moments_1/SquaredDifference",
            ("layer_normalization",),
        ),
        ("net_1/patch_1/Tensordot/MatMul2", ("patch",)),
        ("net_1/lstm_1/while/lstm_cell_1/MatMul_11", ("lstm/lstm_cell",)),
        ("net_1/mha_1/einsum_1/Einsum", ("mha",)),
        ("net_1/shared_3/MatMul", ("shared",)),
        ("net_1/conv_1_2/convolution", ("conv_1",)),
        ("net_1/mha_1_2/einsum_2/Einsum", ("mha_1",)),
        ("net_1/Mean", ("net",)),
        (
            "net_1/act_1/mul;net_1/act_1/Const;net_1/act_1/add",
            ("act",),
        ),
        (b"net_1/conv_1/convolution", ("conv",)),
        ("model/conv2d/Conv2D", ("conv2d",)),
        ("serving_default_input:0", ()),
        ("StatefulPartitionedCall_1:0", ()),
        ("arith.constant1", ()),
        ("tfl.dequantize", ()),
        ("", ()),
    ],
)
def test_names_the_layers(tensor_name, expected):
    assert layer_names(tensor_name) == expected


class Block(layers.Layer):
    """A layer made of layers, whose own result is an operation of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.conv = layers.Conv2D(4, 3, name="conv")
        self.norm = layers.BatchNormalization()

    def call(self, inputs):
        return keras.ops.relu(self.norm(self.conv(inputs)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="net")
        self.first, self.second = Block(), Block(name="second")
        self.head = layers.Dense(3, name="head")

    def call(self, inputs):
        return self.head(keras.ops.mean(self.second(self.first(inputs)), axis=(1, 2)))


def of_file(path):
    model = schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)
    graph = model.subgraphs[0]
    return [layer_names(graph.tensors[op.outputs[0]].name) for op in graph.operators]


def test_subclassed_model(tmp_path):
    model = Subclassed()
    model(np.zeros((1, 8, 8, 3), "float32"))
    path = tmp_path / "m.tflite"
    x = np.random.default_rng(0).random((8, 8, 8, 3), "float32")
    convert(model, path, precision="float32", calibration_data=x)
    block = model.first.name
    assert of_file(path) == [
        (block, f"{block}/conv"),
        ("second", "second/conv"),
        ("net",),
        (),
    ]


def test_nested_models_and_layers_without_names_of_their_own(tmp_path):
    backbone = keras.Sequential(
        [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU()],
        name="backbone",
    )
    inputs = keras.Input((8, 8, 1))
    x = layers.BatchNormalization()(layers.Flatten()(backbone(inputs)))
    model = keras.Model(inputs, layers.Softmax()(layers.Dense(3)(x)))
    path = tmp_path / "m.tflite"
    convert(model, path, precision="float32")
    conv, _, relu = backbone.layers
    flatten, norm, dense, _ = model.layers[2:]
    found = of_file(path)
    assert found[0] == (f"backbone/{relu.name}", f"backbone/{conv.name}")
    assert (flatten.name,) in found
    assert (norm.name, dense.name) in found  # a normalisation folded into the weights
    known = {layer.name for layer in model.layers}
    assert all(names[0] in known for names in found[1:] if names)

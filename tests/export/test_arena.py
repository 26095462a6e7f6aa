"""The arena against what TensorFlow Lite Micro records itself."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd._checks import ConversionError
from keras_kd.export import convert, inspect
from keras_kd.export._targets import refused_by_micro

from .architectures import ARCHITECTURES, trained
from .micro_program import run_on_micro

PLENTY = 4_000_000
# What each model is for: operations whose kernels ask for memory of their own, and
# graphs whose tensors live side by side.


def image_of_all_kinds():
    """Transposed convolution, pooling, padding, resizing, branches, both means."""
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(inputs)
    y = layers.Conv2DTranspose(5, 3, strides=2, padding="same")(x)
    y = layers.AveragePooling2D(2)(layers.LeakyReLU()(y))
    z = layers.UpSampling2D(2, interpolation="bilinear")(layers.MaxPooling2D(2)(x))
    z = layers.DepthwiseConv2D(3, padding="same")(layers.PReLU()(z))
    x = layers.Concatenate()([x, y, z])
    x = keras.ops.pad(x, ((0, 0), (1, 1), (2, 2), (0, 0)), mode="reflect")
    x = layers.Conv2D(8, 3, dilation_rate=2)(x)
    gate = keras.ops.mean(x, axis=(1, 2), keepdims=True)
    peak = layers.GlobalMaxPooling2D()(x * layers.Activation("sigmoid")(gate))
    total = keras.ops.sum(x, axis=(1, 2))
    return keras.Model(inputs, layers.Dense(4, "softmax")(peak + total))


def decoder():
    """What needs memory in 16 bits, of the operations that the converter has there."""
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2DTranspose(5, 3, strides=2, padding="same")(inputs)
    x = layers.Conv2DTranspose(4, 2, use_bias=False)(layers.ReLU()(x))
    x = layers.AveragePooling2D(2)(x)
    return keras.Model(
        inputs, layers.Dense(3, "softmax")(keras.ops.mean(x, axis=(1, 2)))
    )


def sequence_of_all_kinds():
    """Products of matrices, softmax inside, splits, slices, transposes."""
    inputs = keras.Input((10, 6))
    x = layers.Conv1D(8, 3, padding="same")(inputs)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    left, right = keras.ops.split(x, 2, axis=-1)
    x = keras.ops.transpose(left * keras.ops.tanh(right), (0, 2, 1))
    x = layers.Flatten()(x[:, :, 2:8])
    return keras.Model(inputs, layers.Dense(3)(layers.Activation("elu")(x)))


def equal_sizes():
    """Many tensors of one size: the order of equals counts."""
    inputs = keras.Input((8, 8, 4))
    x = inputs
    kept = []
    for _ in range(4):
        x = layers.Conv2D(4, 3, padding="same")(x)
        kept.append(x)
    x = layers.Add()([kept[0], kept[3]])
    x = layers.Multiply()([x, kept[1]]) - kept[2]
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def loop():
    return keras.Sequential([keras.Input((9, 5)), layers.LSTM(7), layers.Dense(3)])


def norms():
    inputs = keras.Input((6, 5))
    x = layers.LayerNormalization()(layers.Dense(9)(inputs))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


CASES = [
    (make, precision)
    for make in (image_of_all_kinds, sequence_of_all_kinds, equal_sizes, norms)
    for precision in ("float32", "int8")
]
CASES += [
    (decoder, "int8"),
    (decoder, "int16x8"),
    (equal_sizes, "int16x8"),
    (loop, "float32"),
]


def check(path):
    """The same as TFLM, or a reason why TFLM does not run it; and enough for it."""
    found = inspect(path)
    head, printed = run_on_micro(path, PLENTY)
    if refused_by_micro(found):
        assert head is None
        return
    assert head == found.arena_bytes, printed
    enough, printed = run_on_micro(path, found.micro_arena_bytes)
    assert enough == head, printed


def random_inputs(model, number=20):
    shape = (number, *model.inputs[0].shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.quick_for(
    "image_of_all_kinds-int8",
    "sequence_of_all_kinds-float32",
    "decoder-int16x8",
    "loop-float32",
)
@pytest.mark.parametrize(
    ("make", "precision"), CASES, ids=lambda one: getattr(one, "__name__", one)
)
def test_arena_is_what_tflm_plans(make, precision, tmp_path):
    model = make()
    path = tmp_path / "m.tflite"
    convert(model, path, precision=precision, calibration_data=random_inputs(model))
    assert not refused_by_micro(inspect(path))
    check(path)


@pytest.mark.slow
def test_int4_weights_are_unpacked_in_the_arena(tmp_path):
    from keras_kd.export import quantization_aware

    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, activation="relu")(inputs)
    float_model = keras.Model(inputs, layers.Dense(4)(layers.Flatten()(x)))
    model = quantization_aware(float_model, weights_bits=4)
    model(random_inputs(model), training=True)
    path = tmp_path / "m.tflite"
    convert(model, path, precision="int4_weights")
    dtypes = {one.dtype for step in inspect(path).operations for one in step.inputs}
    assert "int4" in dtypes
    check(path)


def test_arena_of_a_chain_by_hand(tmp_path):
    """Input and result of the larger step: 8·8·2 + 8·8·6 floats."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(6, 3, padding="same"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    path = tmp_path / "m.tflite"
    convert(model, path, precision="float32")
    assert inspect(path).arena_bytes == 4 * 8 * 8 * (2 + 6)
    convert(model, path, precision="float16")
    assert inspect(path).arena_bytes == 4 * 8 * 8 * (2 + 6)


@pytest.mark.release
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_arena_of_every_architecture(name, tmp_path):
    """The estimate and the list of operations agree with TFLM, whatever it does."""
    model, x, _ = trained(name, steps=3)
    made = 0
    for precision in ("float32", "int8", "int16x8", "dynamic_int8", "float16"):
        path = tmp_path / f"{precision}.tflite"
        try:
            convert(model, path, precision=precision, calibration_data=x[:30])
        except ConversionError:
            continue
        made += 1
        check(path)
    assert made >= 3

"""Plain C against TensorFlow Lite Micro itself, byte for byte."""

import subprocess

import keras
import numpy as np
import pytest
import scipy.special
from keras import layers

from keras_kd._checks import InvalidInputError
from keras_kd.export import convert, inspect, write_plain_c
from tests.programs import needs

from .networks import STRICT, Cut, from_c, from_litert, from_micro, random_inputs
from .networks import scaled as scaled_as


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Nearly all operations that there are kernels for, as int8."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 12, 3))
    a = layers.Conv2D(8, 3, padding="same", activation="relu6")(inputs)
    b = layers.ZeroPadding2D(((1, 0), (1, 0)))(a)
    b = layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2)(b)
    b = layers.Conv2D(8, 1)(b)
    a = layers.AveragePooling2D(3, strides=2, padding="same")(a)
    c = layers.Concatenate()([a, b])
    c = layers.Conv2D(8, 3, dilation_rate=2, padding="same")(c)
    c = layers.MaxPooling2D(2, strides=1, padding="same")(layers.LeakyReLU()(c))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(c)
    c = layers.Multiply()([c, layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    c = layers.Activation("hard_swish")(layers.Add()([c, b]))
    c = layers.Activation("tanh")(layers.Subtract()([c, b]))
    outputs = layers.Dense(6, activation="softmax")(layers.Flatten()(c))
    return _converted(keras.Model(inputs, outputs), tmp_path_factory.mktemp("files"))


def _converted(model, folder, precision="int8", **options):
    shape = (30, *model.inputs[0].shape[1:])
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    path = folder / f"{precision}.tflite"
    convert(model, path, precision=precision, calibration_data=x, **options)
    return path


def check_bytes(path, folder):
    inputs = random_inputs(path)
    answers = from_c(path, folder, inputs)
    assert len(np.unique(answers)) > 5
    np.testing.assert_array_equal(answers, from_micro(path, folder, inputs))
    difference = answers.astype(int) - from_litert(path, inputs)
    assert np.abs(difference).max() <= 1


@pytest.mark.slow
def test_network_of_all_kinds(path, tmp_path):
    names = {operation.name for operation in inspect(path).operations}
    assert {"PAD", "CONCATENATION", "LOGISTIC", "SOFTMAX", "SUB", "MUL"} <= names
    check_bytes(path, tmp_path)


def test_dense_layer_of_one_scale(path, tmp_path):
    cut = Cut(path, "FULLY_CONNECTED")
    for number in cut.operator.inputs[1:]:
        quantization = cut.graph.tensors[number].quantization
        quantization.scale = quantization.scale[:1]
        quantization.zeroPoint = quantization.zeroPoint[:1]
    check_bytes(cut.write(tmp_path / "m.tflite"), tmp_path)


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.6])
def test_softmax_of_many_classes(path, tmp_path, scale):
    cut = Cut(path, "SOFTMAX")
    cut.input.quantization = scaled_as(scale, 7)
    cut.input.shape = cut.output.shape = [1, 3, 40]
    check_bytes(cut.write(tmp_path / "m.tflite"), tmp_path)


@pytest.mark.parametrize("is_rescaled", [True, False])
def test_mean_of_a_number_that_is_no_power_of_2(path, tmp_path, is_rescaled):
    cut = Cut(path, "MEAN")
    cut.input.shape, cut.output.shape = [1, 3, 5, 8], [1, 1, 1, 8]
    cut.input.quantization = scaled_as(0.031, -3)
    scales = (0.0123, 9) if is_rescaled else (0.031, -3)
    cut.output.quantization = scaled_as(*scales)
    check_bytes(cut.write(tmp_path / "m.tflite"), tmp_path)


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_tensor_with_itself(path, tmp_path, name):
    cut = Cut(path, name)
    cut.use_input_twice()
    cut.output.quantization = scaled_as(0.02, 5)
    inputs = random_inputs(cut.write(tmp_path / "m.tflite"))
    answers = from_c(tmp_path / "m.tflite", tmp_path, inputs)
    expected = from_micro(tmp_path / "m.tflite", tmp_path, inputs)
    np.testing.assert_array_equal(answers, expected)


@pytest.mark.parametrize("name", ["RELU", "QUANTIZE", "LEAKY_RELU"])
def test_function_of_one_number(path, tmp_path, name):
    check_bytes(function_of_one_number(path, tmp_path, name), tmp_path)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("RELU6", lambda x: np.clip(x, 0, 6)),
        ("GELU", lambda x: x * (1 + scipy.special.erf(x / np.sqrt(2))) / 2),
    ],
)
def test_function_that_tflm_lacks_or_does_not_rescale(path, tmp_path, name, function):
    file = function_of_one_number(path, tmp_path, name)
    inputs = random_inputs(file)
    answers = from_c(file, tmp_path, inputs)
    np.testing.assert_array_equal(answers, from_litert(file, inputs))
    real = function((inputs.reshape(len(inputs), -1).astype(float) + 20) * 0.07)
    expected = np.clip(real / 0.043 - 90, -128, 127)
    assert np.abs(answers - expected).max() <= 1


def function_of_one_number(path, folder, name):
    cut = Cut(path, "LEAKY_RELU" if name == "LEAKY_RELU" else "TANH")
    if name != "LEAKY_RELU":
        cut.become(name)
    cut.input.quantization = scaled_as(0.07, -20)
    cut.output.quantization = scaled_as(0.043, -90)
    return cut.write(folder / "m.tflite")


def test_memory_is_what_was_planned(path, tmp_path):
    written = write_plain_c(path, tmp_path)
    assert written.arena_bytes <= inspect(path).arena_bytes
    assert written.macs == inspect(path).macs
    weights = inspect(path).weight_bytes
    assert 0.9 * weights < written.constant_bytes < 1.5 * weights + 8192
    assert f"ARENA_BYTES {written.arena_bytes}\n" in written.files[0].read_text()


@needs("arm-none-eabi-gcc", "arm-none-eabi-nm")
def test_no_floats_and_no_heap_on_a_cortex_m0(path, tmp_path):
    """Those would be calls of the compiler's library."""
    written = write_plain_c(path, tmp_path)
    sources = [file for file in written.files if file.suffix == ".c"]
    options = ["-mcpu=cortex-m0", "-mthumb", "-O2", "-r", "-nostdlib"]
    network = tmp_path / "network.o"
    subprocess.run(
        ["arm-none-eabi-gcc", *STRICT, *options, "-o", network, *sources], check=True
    )
    printed = subprocess.run(
        ["arm-none-eabi-nm", "-u", network], capture_output=True, text=True, check=True
    )
    called = set(printed.stdout.replace("U", "").split())
    integer = {"__aeabi_idiv", "__aeabi_ldivmod", "__aeabi_lmul", "memcpy"}
    integer |= {"__aeabi_lasr", "__aeabi_llsl", "__aeabi_llsr"}
    assert called <= integer


@needs("g++")
def test_header_is_for_cpp_too(path, tmp_path):
    write_plain_c(path, tmp_path)
    program = '#include "student_network.h"\nint main() { student_network_run(); }\n'
    (tmp_path / "main.cc").write_text(program)
    command = ["g++", "-Wall", "-Werror", "-pedantic", "-c", "main.cc", "-o", "main.o"]
    subprocess.run(command, cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    ("precision", "options", "said"),
    [
        ("float32", {}, "float32"),
        ("int8", {"float_io": True}, "float_io=False"),
        ("int16x8", {}, "int16"),
    ],
)
def test_files_that_are_not_int8(tmp_path, precision, options, said):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    path = _converted(model, tmp_path, precision, **options)
    with pytest.raises(InvalidInputError, match=said):
        write_plain_c(path, tmp_path)
    assert {one.suffix for one in tmp_path.iterdir()} == {".tflite", ".json"}


def test_operation_without_a_kernel_is_named_with_its_layer(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2DTranspose(3, 2, name="larger"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    with pytest.raises(InvalidInputError, match='TRANSPOSE_CONV of layer "larger"'):
        write_plain_c(_converted(model, tmp_path), tmp_path)


def test_nothing_is_left_of_a_failure(path, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(InvalidInputError, match="expected a whole"):
        write_plain_c(broken, tmp_path)
    with pytest.raises(InvalidInputError, match="identifier of C"):
        write_plain_c(path, tmp_path, name="1st")
    with pytest.raises(InvalidInputError, match="folder that exists"):
        write_plain_c(path, tmp_path / "none")
    assert list(tmp_path.iterdir()) == [broken]

"""What cannot be made quantisation-aware, or not yet be converted, says why."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd
from keras_kd.export import (
    ConversionError,
    LiteRtModel,
    convert,
    float_layers,
    quantization_aware,
)
from keras_kd.export.quantization import ranges
from tests.export.quantization.models import conv, examples, stack, with_random_weights


def _vit():
    """Attention, of which nothing is computed in integers."""
    inputs = keras.Input((6, 4))
    x = layers.Dense(4)(inputs)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    return keras.Model(inputs, layers.Dense(3)(x))


def _half_float():
    """A student with a normalisation that no file computes in integers."""
    return stack(conv(), layers.LayerNormalization(name="norm"), conv())


def test_layers_left_in_float_are_named_in_a_warning():
    with pytest.warns(UserWarning, match="left in float: norm") as caught:
        model = quantization_aware(_half_float())
    ours = [one for one in caught if "left in float" in str(one.message)]
    assert [one.filename for one in ours] == [__file__]
    assert float_layers(model) == ("norm",)


def test_layers_left_in_float_in_a_model_inside_have_their_path():
    inner = _half_float()
    inner.name = "backbone"
    with pytest.warns(UserWarning, match="left in float: backbone/norm"):
        model = quantization_aware(stack(conv(4), inner))
    assert float_layers(model) == ("backbone/norm",)


def test_strict_refuses_what_would_be_left_in_float():
    with pytest.raises(ValueError, match=r'strict=True, got "norm".*Replace them'):
        quantization_aware(_half_float(), strict=True)


@pytest.mark.parametrize(
    "part",
    [
        conv(activation="elu", name="part"),
        layers.Activation("elu", name="part"),
        layers.ReLU(max_value=3.0, name="part"),
        layers.Softmax(axis=1, name="part"),
        layers.BatchNormalization(axis=1, name="part"),
        layers.Average(name="part"),
        layers.GroupNormalization(2, name="part"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_only_looks_like_an_integer_layer_is_left_in_float(part):
    inputs = keras.Input((8, 8, 4))
    x = conv(4)(inputs)
    x = part([x, inputs]) if isinstance(part, layers.Average) else part(x)
    with pytest.raises(ValueError, match='"part"'):
        quantization_aware(keras.Model(inputs, conv()(x)), strict=True)


def test_a_layer_of_the_users_own_is_left_in_float():
    class Louder(layers.Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    with pytest.raises(ValueError, match='"louder"'):
        quantization_aware(stack(Louder(3)), strict=True)


def test_layers_that_heed_a_mask_still_do():
    inputs = keras.Input((5, 3))
    x = layers.Masking(name="mask")(inputs)
    x = layers.GlobalAveragePooling1D(name="mean")(layers.Dense(4)(x))
    student = keras.Model(inputs, x)
    with pytest.warns(UserWarning, match="mask, .*mean"):
        model = quantization_aware(student)
    x = examples(student)
    x[:, 3:] = 0.0
    model(x, training=True)
    np.testing.assert_allclose(model(x), student(x), atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "name"), [(_half_float, "norm"), (_vit, "attention")])
def test_float_layer_is_all_that_is_float_in_its_file(make, name, tmp_path):
    student = with_random_weights(make())
    with pytest.warns(UserWarning, match=name):
        model = quantization_aware(student)
    model(examples(student), training=True)
    path = tmp_path / "student.tflite"
    convert(model, path, precision="int8")
    by_name = [one.name for one in keras_kd.export.inspect(path).operations]
    assert by_name.count("DEQUANTIZE") >= 1
    assert by_name.count("QUANTIZE") == 1
    x = examples(student, 16, seed=9)
    assert np.abs(LiteRtModel(path)(x) - np.asarray(model(x))).max() < 0.2


@pytest.mark.slow
def test_a_missing_quantiser_is_found_in_the_file(tmp_path, monkeypatch):
    student = with_random_weights(stack(layers.DepthwiseConv2D(3, name="a"), conv()))
    model = quantization_aware(student)
    model(examples(student), training=True)
    forgotten = model.get_layer("a").output_range
    call = ranges.ActivationRange.call
    monkeypatch.setattr(
        ranges.ActivationRange,
        "call",
        lambda self, x, training=None: x if self is forgotten else call(self, x),
    )
    path = tmp_path / "student.tflite"
    with pytest.raises(ConversionError, match=r'"a".* in float'):
        convert(model, path, precision="int8")
    assert list(tmp_path.iterdir()) == []


def test_ranges_that_were_never_set_are_an_error(tmp_path):
    model = quantization_aware(stack(conv(name="a")))
    with pytest.raises(ValueError, match=r"no batch has set.*Train it"):
        convert(model, tmp_path / "student.tflite", precision="int8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("bits", "right"), [(8, "int8"), (4, "int4_weights")])
def test_other_precisions_than_the_trained_one_are_refused(bits, right, tmp_path):
    model = quantization_aware(stack(conv()), weights_bits=bits)
    model(examples(model), training=True)
    for precision in ("float32", "float16", {8: "int4_weights", 4: "int8"}[bits]):
        with pytest.raises(ValueError, match=f'expected precision="{right}"'):
            convert(model, tmp_path / "student.tflite", precision=precision)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights_bits": 3}, "weights_bits of 8 or 4, got 3"),
        ({"weights_bits": True}, "weights_bits of 8 or 4, got True"),
        ({"activation_bits": 16}, "activation_bits=8, got 16.*int16x8"),
    ],
)
def test_bits_that_the_converter_gets_wrong_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        quantization_aware(stack(conv()), **options)


def _subclassed():
    class Student(keras.Model):
        def call(self, inputs):
            return inputs

    return Student()


def _of_whole_numbers():
    inputs = keras.Input((4,), dtype="int32")
    return keras.Model(inputs, layers.Embedding(5, 3)(inputs))


def _with_nan():
    model = stack(conv())
    model.layers[0].bias.assign(np.full(6, np.nan))
    return model


def _quantised_by_keras():
    model = stack(layers.Dense(3, name="dense"))
    model.quantize("int8")
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(2), "a keras.Model, got Dense"),
        (_subclassed, "Functional or Sequential.*Student"),
        (lambda: keras.Sequential([layers.Dense(2)]), "that is built"),
        (lambda: keras_kd.Distiller(stack(conv()), stack(conv())), "distiller.student"),
        (lambda: quantization_aware(stack(conv())), "quantisation-aware already"),
        (_of_whole_numbers, "float dtype"),
        (_with_nan, "finite weights"),
        (_quantised_by_keras, 'layer "dense" in int8'),
    ],
)
def test_students_that_cannot_be_used_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        quantization_aware(make())


def test_a_layer_in_two_of_the_models_inside_is_refused():
    shared = conv(4, name="twice")
    student = stack(stack(shared), stack(shared))
    with pytest.raises(ValueError, match='"twice" in two of the models'):
        quantization_aware(student)

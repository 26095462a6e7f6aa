"""Students that learn with the roundings of the file they will become."""

import warnings

import keras

from keras_kd._checks import invalid
from keras_kd._keras_internals import all_layers
from keras_kd.export.quantization.checks import is_quantization_aware
from keras_kd.export.quantization.fake_quant import ACTIVATION_BITS
from keras_kd.export.quantization.graph import is_functional
from keras_kd.export.quantization.rewriting import WHERE, Rewriting
from keras_kd.outputs import check_weights

WEIGHTS_BITS = (4, 8)


def quantization_aware(student, *, weights_bits=8, activation_bits=8, strict=False):
    """A copy of a trained student that computes with the roundings of an integer file.

    Train it again, by `Distiller` or `fit`, some epochs at a small learning rate; then
    `convert` it with precision="int8" (or "int4_weights", for 4-bit weights), which
    needs no calibration data: the ranges are trained. One pass over some data in
    training mode, `model(x, training=True)`, sets the ranges without training weights.
    Before either, predictions mean nothing.

    Layers keep their names and weights. BatchNormalization becomes part of the layer
    before it; under its name remains an `Identity`, so that its layer's output is that
    of both. What a file cannot compute in integers is left in float, with a warning
    that names it; `float_layers` lists it again.

    Args:
        student: a built Functional or Sequential `keras.Model`, which is not changed.
        weights_bits: 8, or 4 for half the bytes; then train longer. Depthwise and
            transposed convolutions have 8 always.
        activation_bits: 8, the only one for which the converter keeps trained ranges.
        strict: bool, refuse a student of which something would be left in float.

    Returns:
        A Functional `keras.Model` in float32.

    Raises:
        ValueError: The student or an option cannot be used.

    Reference:
        Jacob et al., 2018, https://arxiv.org/abs/1712.05877.
        Departures: BatchNormalization is folded before training rather than during it.

    Example:
        >>> from keras import layers
        >>> convolution = layers.Conv2D(4, 3, name="conv")
        >>> student = keras.Sequential([keras.Input((8, 8, 1)), convolution])
        >>> model = quantization_aware(student)
        >>> type(model.get_layer("conv")).__name__
        'QuantizedConv2D'
    """
    _check_options(weights_bits, activation_bits)
    _check_student(student)
    rewriting = Rewriting(weights_bits)
    model = rewriting.rewrite(student)
    if rewriting.in_float and strict:
        raise invalid(
            WHERE,
            "layers that a file can compute in integers, because of strict=True",
            ", ".join(f'"{path}"' for path in rewriting.in_float),
            "Replace them, or leave out strict=True to keep them in float.",
        )
    if rewriting.in_float:
        names = ", ".join(rewriting.in_float)
        warnings.warn(
            f'{WHERE}: of "{student.name}" these layers are left in float: {names}. '
            "The file will not be purely integer.",
            stacklevel=2,
        )
    return model


def _check_options(weights_bits, activation_bits):
    if weights_bits not in WEIGHTS_BITS or isinstance(weights_bits, bool):
        raise invalid(
            WHERE, "weights_bits of 8 or 4", repr(weights_bits), "Choose one of them."
        )
    if activation_bits != ACTIVATION_BITS:
        raise invalid(
            WHERE,
            "activation_bits=8",
            repr(activation_bits),
            "With others the converter makes files of wrong results; for 16 bits "
            'convert the float student with precision="int16x8".',
        )


def _check_student(student):
    if not isinstance(student, keras.Model):
        raise invalid(
            WHERE, "a keras.Model", type(student).__name__, "Load it with load_model."
        )
    if not is_functional(student):
        raise invalid(
            WHERE,
            "a Functional or Sequential model that is built",
            f'"{student.name}", a {type(student).__name__}',
            "Begin it with keras.Input(shape), write subclassed models with the "
            "functional API, and pass distiller.student rather than the distiller.",
        )
    if is_quantization_aware(student):
        raise invalid(
            WHERE,
            "a float student",
            f'"{student.name}", which is quantisation-aware already',
            "Pass the student that it was made of.",
        )
    dtypes = [keras.backend.standardize_dtype(one.dtype) for one in student.inputs]
    whole = [dtype for dtype in dtypes if "float" not in dtype]
    if whole:
        raise invalid(
            WHERE,
            "inputs of float dtype",
            ", ".join(whole),
            'Begin the student with keras.Input(shape, dtype="float32").',
        )
    for layer in all_layers(student):
        if getattr(layer, "quantization_mode", None):
            raise invalid(
                WHERE,
                "a student in float",
                f'layer "{layer.name}" in {layer.quantization_mode}',
                "Pass the student as it was before model.quantize.",
            )
    check_weights(WHERE, student, "student")

"""Keras to .tflite."""

from pathlib import Path

import keras
import numpy as np

from keras_kd._checks import ConversionError, check_choice, invalid
from keras_kd._files import check_writable, written_whole
from keras_kd.export._calibration import calibration_examples, check_examples
from keras_kd.export._deployed import deployed
from keras_kd.export._process import run_converter
from keras_kd.export.inspect import inspect
from keras_kd.export.manifest import describe
from keras_kd.export.metadata import Description, annotate
from keras_kd.export.normalization import Normalization
from keras_kd.export.quantization import (
    check_ready,
    float_layers,
    is_quantization_aware,
)
from keras_kd.outputs import check_weights

PRECISIONS = (
    "float32",
    "float16",
    "dynamic_int8",
    "int8",
    "int16x8",
    "int4_weights",
)
CALIBRATED = ("int8", "int16x8")
WHERE = "keras_kd.export.convert"


def convert(
    model,
    path,
    *,
    precision,
    calibration_data=None,
    labels=None,
    input_range=None,
    normalization=None,
    fold_normalization=True,
    output=None,
    float_io=False,
):
    """Writes a model as a .tflite file, and its manifest as .json beside it.

    The file takes one example at a time (batch 1), and uses TFLite's builtin operations
    only, so that it runs on every LiteRT runtime. The converter runs in a process of
    its own; both files appear whole or not at all.

    Args:
        model: a built `keras.Model` with one input and one output; one from
            `quantization_aware` needs no calibration, for its ranges are trained.
        path: `str` or `Path` ending in ".tflite", in a folder that exists.
        precision: one of

            - "float32": as trained;
            - "float16": weights in half the bytes;
            - "dynamic_int8": weights in a quarter of them; activations float32, in int8
              inside the operations that gain by it;
            - "int8": weights, activations, input and output int8; needs
              `calibration_data`;
            - "int16x8": weights int8, activations int16, input and output too: nearer
              to float32 than int8 and slower; needs `calibration_data`;
            - "int4_weights": weights of convolutions and dense layers in an eighth of
              the bytes, others int8; activations float32. Of a quantisation-aware model
              with 4-bit weights: all integer, int8 input and output.
        calibration_data: inputs as in training: array `(n, ...)`, a
            `keras_kd.data.Split`, or a batched `tf.data.Dataset`; at most 500 are used.
            For "int8" and "int16x8"; elsewhere it only tells the input range.
        labels: None, or the class names in order; written into the file and its
            manifest.
        input_range: None, or `(low, high)` of the model's inputs, for the manifest; by
            default that of `calibration_data`.
        normalization: None, or `(mean, std)`: how training made the model's inputs of
            raw ones, (raw - mean) / std; numbers, or one for each channel.
        fold_normalization: bool; True: the file normalises, and takes raw inputs.
            False: the program that calls it must; file and manifest only tell how.
        output: None for what the model gives, or "logits" or "probabilities": the
            softmax (sigmoid for one unit) is left out or put in.
        float_io: bool; True gives integer files float32 input and output, which
            browsers need.

    Returns:
        The `Manifest`.

    Raises:
        ValueError: An argument cannot be used.
        ConversionError: The converter failed, as for layers TFLite has no builtin for.

    Example:
        >>> import pathlib, tempfile
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "student.tflite")
        ...     convert(model, path, precision="float32").input.shape
        (1, 4)
    """
    path = Path(path)
    check_choice(WHERE, "precision", precision, PRECISIONS)
    _check_model_and_path(model, path, precision)
    examples = calibration_examples(calibration_data)
    normalization = Normalization.of(WHERE, normalization)
    folded = normalization if fold_normalization else None
    source = deployed(model, examples, normalization=folded, output=output)
    has_ranges = is_quantization_aware(model)
    needed_for = precision if precision in CALIBRATED and not has_ranges else None
    check_examples(examples, source.shape[1:], needed_for=needed_for)
    _check_labels(labels, model)
    if folded is not None and examples is not None:
        examples = folded.invert(examples)
    about = {
        "description": Description(source.output_kind, normalization, bool(folded)),
        "labels": None if labels is None else tuple(map(str, labels)),
        "input_range": _input_range(input_range, examples, folded),
    }
    with written_whole(path, path.with_suffix(".json")) as (tflite, manifest_path):
        run_converter(
            source,
            tflite,
            precision=precision,
            calibration=examples if needed_for else None,
            float_io=float_io,
            trained_ranges=has_ranges,
        )
        _check_integer(model, tflite)
        annotate(tflite, name=model.name, **about)
        manifest = describe(
            tflite,
            name=path.name,
            precision=precision,
            params=model.count_params(),
            **about,
        )
        manifest_path.write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def _check_model_and_path(model, path, precision):
    if not isinstance(model, keras.Model):
        raise invalid(
            WHERE, "a keras.Model", type(model).__name__, "Load it with load_model."
        )
    if path.suffix != ".tflite":
        raise invalid(
            WHERE, 'a path that ends in ".tflite"', f'"{path}"', "Add the ending."
        )
    check_writable(WHERE, path)
    check_weights(WHERE, model, "model")
    if is_quantization_aware(model):
        check_ready(WHERE, model, precision)
    if precision == "float16":
        _check_fits_float16(model)


def _check_fits_float16(model):
    """The converter would clip what is larger, and say nothing."""
    largest = np.finfo("float16").max
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        if value.dtype.kind == "f" and np.abs(value).max(initial=0) > largest:
            raise invalid(
                WHERE,
                f"weights that float16 can hold, up to {largest:.0f}",
                f'"{weight.path}" with {np.abs(value).max():.3g}',
                'Use precision="float32".',
            )


def _check_labels(labels, model):
    units = getattr(model, "output_shape", (None,))[-1]
    if labels is not None and units not in (None, 1, len(labels)):
        raise invalid(
            WHERE,
            f"{units} labels, one for each output of the model",
            f"{len(labels)}",
            "Pass the class names that the model was trained with.",
        )
    if any("\n" in str(label) or not str(label) for label in labels or ()):
        raise invalid(
            WHERE,
            "labels of one line each, as the list in the file has them",
            repr([label for label in labels if "\n" in str(label) or not str(label)]),
            "Replace the line breaks, and name every class.",
        )


def _check_integer(model, path):
    """Raises if the file computes in float what the model has learned ranges for."""
    if not is_quantization_aware(model):
        return
    # Behind a layer left in float is a range, which may give its result the name.
    expected = tuple(
        f"{name}/" for path in float_layers(model) for name in (path, f"{path}_range")
    )
    # Not only islands: if one range is missing, all of a small file may be in float.
    islands = [
        one
        for one in inspect(path).operations
        if one.name not in ("DEQUANTIZE", "QUANTIZE")
        and any(tensor.dtype == "float32" for tensor in (*one.inputs, *one.outputs))
        and not any(
            f"{name}/".startswith(expected) for name in (one.layer, *one.fused_layers)
        )
    ]
    if islands:
        names = ", ".join(f'{one.name} of "{one.layer}"' for one in islands)
        raise ConversionError(
            f'{WHERE}: "{model.name}" should be computed in integers, but the '
            f"converter left {names} in float. Please report this, with the model; "
            'until then convert the float student with precision="int8".'
        )


def _input_range(given, examples, normalization):
    """The range of what the file is given, or None if it is not known."""
    if given is not None:
        low, high = (
            given if normalization is None else normalization.invert_range(given)
        )
        return float(low), float(high)
    if examples is None:
        return None
    return float(examples.min()), float(examples.max())

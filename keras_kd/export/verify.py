"""Scoring a .tflite file itself, not the model that it came from."""

import zipfile

import keras
import numpy as np

from keras_kd._checks import AccuracyTooLowError, check_fraction, invalid
from keras_kd.export._inside import FileStoppedError
from keras_kd.export._scored import class_numbers, keras_outputs, labelled_arrays
from keras_kd.export._standard_metadata import LABELS_FILE
from keras_kd.export.accuracy import accuracy, decide
from keras_kd.export.flips import find_flips
from keras_kd.export.layer_errors import layer_errors
from keras_kd.export.litert import LiteRtModel
from keras_kd.export.metadata import read_description
from keras_kd.export.per_class import class_changes
from keras_kd.export.verification import Verification
from keras_kd.outputs import check_inputs

WHERE = "keras_kd.export.verify"


def verify(tflite_path, model, data, *, fail_below=None, layer_examples=64):
    """Runs a .tflite file with LiteRT on labelled data, beside its Keras model.

    Files of every precision, with integer or float input and output. What the file says
    of itself is heeded: where it normalises its inputs it is given raw ones, and where
    its softmax was put in or left out, Keras's outputs are taken alike.

    Args:
        tflite_path: `str` or `Path`.
        model: the `keras.Model` that the file was made from.
        data: `(x, y)` arrays, a `keras_kd.data.Split`, or a batched `tf.data.Dataset`
            of `(x, y)`; inputs as the Keras model takes them; labels are class numbers.
        fail_below: None, or float in [0, 1]: the accuracy that the file must reach, for
            a build that shall stop otherwise.
        layer_examples: int, of how many examples to compare the layers too, with
            LiteRT's own kernels in a process of their own; 0 for none.

    Returns:
        A `Verification`.

    Raises:
        ValueError: The file, or the data, cannot be used.
        AccuracyTooLowError: The accuracy is below `fail_below`.

    Example:
        See `examples/01_digits.py`; `verify("student.tflite", student, data.test)`.
    """
    _check_arguments(model, fail_below, layer_examples)
    x, y = labelled_arrays(data)
    check_inputs(WHERE, model, x)
    runtime = LiteRtModel(tflite_path)
    description = read_description(tflite_path)
    raw, kind = x, None
    if description is not None:
        kind = description.output_kind
        if description.normalization_folded:
            raw = description.normalization.invert(x).astype("float32")
    from_keras, kind = keras_outputs(model, x, kind)
    from_file = runtime(raw)
    _check_outputs(from_keras, from_file)
    y = class_numbers(y, from_keras.shape[-1])
    layers, missing = _layers(
        tflite_path, model, *(part[:layer_examples] for part in (x, raw, from_keras))
    )
    ours, theirs = decide(from_file, kind), decide(from_keras, kind)
    score = accuracy(ours, y)
    result = Verification(
        examples=score.examples,
        accuracy=score.value,
        accuracy_ci95=score.ci95,
        keras_accuracy=accuracy(theirs, y).value,
        keras_agreement=float(np.mean(ours == theirs)),
        max_abs_error=float(np.abs(from_file - from_keras).max()),
        flips=find_flips(from_keras, from_file, y, kind),
        classes=class_changes(theirs, ours, y, _labels(tflite_path)),
        layers=layers,
        layers_missing=missing,
    )
    if fail_below is not None and score.value < fail_below:
        raise AccuracyTooLowError(_too_low(tflite_path, result, fail_below), result)
    return result


def _check_arguments(model, fail_below, layer_examples):
    if not isinstance(model, keras.Model):
        raise invalid(
            WHERE, "a keras.Model", type(model).__name__, "Load it with load_model."
        )
    if fail_below is not None:
        check_fraction(WHERE, "fail_below", fail_below)
    if not isinstance(layer_examples, int) or layer_examples < 0:
        raise invalid(
            WHERE,
            "`layer_examples` as a whole number, 0 or more",
            repr(layer_examples),
            "Pass 0 to leave the layers out.",
        )


def _check_outputs(from_keras, from_file):
    if from_keras.shape != from_file.shape:
        raise invalid(
            WHERE,
            f"the model the file was made from, with outputs {from_file.shape[1:]}",
            f"one with outputs {from_keras.shape[1:]}",
            "Pass the model that was given to convert.",
        )
    if from_keras.ndim != 2:
        raise invalid(
            WHERE,
            "outputs (n, num_classes), one decision for each example",
            from_keras.shape,
            "Files of other models can be run with LiteRtModel.",
        )
    for who, outputs in (("Keras model", from_keras), ("file", from_file)):
        bad = int((~np.isfinite(outputs)).any(axis=-1).sum())
        if bad:
            raise invalid(
                WHERE,
                f"finite outputs of the {who}",
                f"NaN or inf for {bad} of {len(outputs)} examples",
                "Check that the data is finite and scaled as in training"
                + (", or export another precision." if who == "file" else "."),
            )


def _layers(path, model, inputs, raw, outputs):
    """What `layer_errors` finds, and None; or nothing, and why."""
    if not len(inputs):
        return (), "not asked for"
    try:
        return layer_errors(path, model, inputs, raw, outputs), None
    except FileStoppedError as error:
        return (), f"LiteRT's kernels without delegates cannot run the file: {error}"


def _labels(path):
    """The class names in a file, or None."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        if LABELS_FILE not in archive.namelist():
            return None
        return archive.read(LABELS_FILE).decode().split("\n")


def _too_low(path, result, fail_below):
    low, high = result.accuracy_ci95
    message = (
        f"{WHERE}: {path} has accuracy {result.accuracy:.2%} (95 % interval {low:.2%} "
        f"to {high:.2%}, {result.examples} examples), below {fail_below:.2%}; its "
        f"Keras model has {result.keras_accuracy:.2%}."
    )
    if result.worst_layer is not None:
        message += f' Most of the new error comes in at "{result.worst_layer.layer}".'
    return message

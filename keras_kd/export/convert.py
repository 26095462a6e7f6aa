"""Keras to .tflite."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_kd._checks import ConversionError, check_choice, invalid
from keras_kd._files import check_writable, written_whole
from keras_kd.data import Split
from keras_kd.export.manifest import describe
from keras_kd.outputs import check_weights

PRECISIONS = ("float32", "float16", "dynamic_int8", "int8")
WHERE = "keras_kd.export.convert"
MOST_CALIBRATION_EXAMPLES = 500


def convert(
    model, path, *, precision, calibration_data=None, labels=None, input_range=None
):
    """Writes a model as a .tflite file, and its manifest as .json beside it.

    The file takes one example at a time (batch 1), and uses TFLite's builtin operations
    only, so that it runs on every LiteRT runtime. The converter runs in a process of
    its own; both files appear whole or not at all.

    Args:
        model: a built `keras.Model` with one input and one output.
        path: `str` or `Path` ending in ".tflite", in a folder that exists.
        precision: one of

            - "float32": as trained;
            - "float16": weights in half the bytes;
            - "dynamic_int8": weights in a quarter, activations float32;
            - "int8": weights, activations, input and output int8; needs
              `calibration_data`.
        calibration_data: inputs as in training: array `(n, ...)`, a
            `keras_kd.data.Split`, or a batched `tf.data.Dataset`; at most 500 are used.
            For "int8"; elsewhere it only tells the input range.
        labels: None, or the class names in order, for the manifest.
        input_range: None, or `(low, high)` of the model's inputs, for the manifest; by
            default that of `calibration_data`.

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
    examples = _examples(calibration_data)
    shape, dtype = _input_of(model, examples)
    _check_examples(examples, shape, precision)
    _check_labels(labels, model)
    model = _in_float32(model)
    if input_range is None and examples is not None:
        input_range = (float(examples.min()), float(examples.max()))
    with written_whole(path, path.with_suffix(".json")) as (tflite, manifest_path):
        _run_converter(model, tflite, precision, examples, (1, *shape), dtype)
        manifest = describe(
            tflite,
            name=path.name,
            precision=precision,
            model=model,
            labels=labels,
            input_range=input_range,
        )
        manifest_path.write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def _examples(calibration_data):
    if calibration_data is None:
        return None
    if isinstance(calibration_data, Split):
        calibration_data = calibration_data.batches(100, labels=False)
    if isinstance(calibration_data, tf.data.Dataset):
        batches = calibration_data.take(MOST_CALIBRATION_EXAMPLES).as_numpy_iterator()
        inputs = [batch[0] if isinstance(batch, tuple) else batch for batch in batches]
        calibration_data = np.concatenate(inputs) if inputs else []
    try:
        examples = np.asarray(calibration_data)[:MOST_CALIBRATION_EXAMPLES]
        numeric = np.issubdtype(examples.dtype, np.number)
    except (ValueError, IndexError):
        numeric = False
    if not numeric:
        raise invalid(
            WHERE,
            "calibration_data as an array of inputs",
            type(calibration_data).__name__,
            "Pass inputs alone, without labels, such as x_train[:500].",
        )
    return examples


def _check_labels(labels, model):
    units = getattr(model, "output_shape", (None,))[-1]
    if labels is not None and units not in (None, 1, len(labels)):
        raise invalid(
            WHERE,
            f"{units} labels, one for each output of the model",
            f"{len(labels)}",
            "Pass the class names that the model was trained with.",
        )


def _in_float32(model):
    """The model itself, or a copy that computes in float32 if it was mixed precision.

    The converter has no builtin operations for float16 arithmetic.
    """
    layers = model._flatten_layers()
    if all(layer.compute_dtype == layer.variable_dtype for layer in layers):
        return model
    try:
        copy = keras.models.clone_model(model, clone_function=_float32_layer)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise invalid(
            WHERE,
            "a float32 model",
            f'"{model.name}" in mixed precision that cannot be copied ({error})',
            "Build it again under the float32 policy, and set_weights.",
        ) from error
    copy.set_weights(model.get_weights())
    return copy


def _float32_layer(layer):
    return type(layer).from_config({**layer.get_config(), "dtype": "float32"})


def _input_of(model, examples):
    """The shape, without batch, and dtype of the model's one input."""
    inputs = getattr(model, "inputs", None)
    if inputs and len(inputs) == 1 and None not in inputs[0].shape[1:]:
        return tuple(inputs[0].shape[1:]), inputs[0].dtype
    if not inputs and examples is not None and model.built:
        return examples.shape[1:], str(examples.dtype)
    raise invalid(
        WHERE,
        "a built model with one input of fixed shape",
        f"inputs {[tuple(i.shape) for i in inputs] if inputs else 'not known'}",
        "Begin the model with keras.Input(shape) without None in it, and pass "
        "distiller.student rather than the distiller.",
    )


def _check_examples(examples, shape, precision):
    if examples is None and precision != "int8":
        return
    if examples is None or not len(examples):
        raise invalid(
            WHERE,
            "calibration_data for int8",
            "none",
            "Pass some hundred inputs, such as data.train.",
        )
    if examples.shape[1:] != shape:
        raise invalid(
            WHERE,
            f"calibration_data of shape (n, {', '.join(map(str, shape))})",
            examples.shape,
            "Pass inputs as they were in training, with a batch axis.",
        )
    if not np.isfinite(examples.astype("float64")).all():
        raise invalid(
            WHERE, "finite calibration_data", "NaN or inf", "Leave those inputs out."
        )


def _run_converter(model, path, precision, examples, shape, dtype):
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as folder:
        saved_model = Path(folder, "saved_model")
        _save_with_static_batch(model, saved_model, shape, dtype)
        # By its path, so that it imports TensorFlow alone. That looks for a module
        # "litert", which without -P would be the one in this folder.
        command = [sys.executable, "-P", str(Path(__file__).parent / "_converter.py")]
        command += [str(saved_model), str(path), precision]
        if precision == "int8":
            calibration = Path(folder, "calibration.npy")
            np.save(calibration, examples.astype(dtype))
            command.append(str(calibration))
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ConversionError(_explain(model, precision, result))


def _save_with_static_batch(model, folder, shape, dtype):
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda x: model(x, training=False),
        input_signature=[keras.InputSpec(shape=shape, dtype=dtype, name="input")],
    )
    archive.write_out(folder, verbose=False)


def _explain(model, precision, result):
    """What went wrong in the converter, and what to do about it."""
    what = f'{WHERE}: "{model.name}" could not be written as {precision}: '
    if result.returncode < 0:
        return (
            f"{what}TensorFlow's converter crashed with signal {-result.returncode}. "
            "Recurrent layers cause this: build them with unroll=True."
        )
    missing = re.findall(r"^(?:TF Select|Custom) ops: (.+)$", result.stderr, re.M)
    if missing:
        places = re.findall(r'fused\["\w+:", "([^"@]+/[^"@]+)@', result.stderr)
        where = f" (in {places[0]})" if places else ""
        return (
            f"{what}TFLite has no builtin operation for {', '.join(missing)}{where}. "
            "Replace the layer by one of standard operations."
        )
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "rror" in line]
    return f"{what}{(errors or lines or ['no message'])[-1]}"

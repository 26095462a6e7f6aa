"""Converting a student as it is, to see what comes of it."""

import re
import tempfile
from pathlib import Path

import numpy as np

from keras_kd._checks import ConversionError, InvalidInputError
from keras_kd.export._deployed import deployed
from keras_kd.export._names import layer_names
from keras_kd.export._process import run_converter
from keras_kd.export._targets import Problem, loops
from keras_kd.export.examples import random_examples
from keras_kd.export.inspect import inspect
from keras_kd.export.quantization import is_quantization_aware
from keras_kd.outputs.litert import open_interpreter

# An operation that the converter refuses, and the scopes that it is in.
_REFUSED = re.compile(
    r"error: loc\(.*?fused\[\"\w+:\", \"([^\"@]+).*?: "
    r"'tf\.(\w+)' op is neither a custom op nor a flex op"
)
# What the converter has no integer form of, and what LiteRT cannot prepare.
_UNUSABLE = re.compile(
    r"not yet supported for op: '(\w+)'|Node number \d+ \((\w+)\) failed to prepare"
)


def source_of(student):
    """The student as the converter takes it, or why it does not.

    Args:
        student: a built `keras.Model`.

    Returns:
        `(problems, source)`: a list of `Problem`, and a `Deployed` or None.
    """
    problems = _open_inputs(student)
    if problems:
        return problems, None
    try:
        return [], deployed(student, _example(student))
    except InvalidInputError as error:
        _, expected, got, fix = error.parts
        return [
            Problem("", "interface", f"It must be {expected}, not {got}.", fix)
        ], None


def try_to_convert(source, target):
    """Makes the file of a student for a target, and prepares it to run.

    Args:
        source: a `Deployed`.
        target: str, one of `TARGETS`.

    Returns:
        `(inspection, problems)`: an `Inspection`, or None and why there is none.
    """
    aware = is_quantization_aware(source.model)
    in_int8 = target == "microcontroller"
    try:
        return _convert(
            source, in_int8=in_int8, float_io=target == "browser", aware=aware
        ), []
    except (ConversionError, InvalidInputError) as error:
        problems = _refusals(error, source)
        if in_int8 and not problems:
            problems = _loops_of(source)
        return None, problems or [_unknown(str(error).partition(": ")[2])]
    except Exception as error:
        # Whatever a layer, or Keras, raises where the model is traced.
        return None, [_unknown(" ".join(str(error).split()) or repr(error))]


def _convert(source, *, in_int8, float_io=False, aware=False, runs=True):
    examples = random_examples(source.shape[1:], source.dtype)
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as folder:
        path = Path(folder, "student.tflite")
        run_converter(
            source,
            path,
            precision="int8" if in_int8 or aware else "float32",
            calibration=examples if in_int8 and not aware else None,
            float_io=float_io,
            trained_ranges=aware,
        )
        if runs:
            open_interpreter("LiteRT", path)
        return inspect(path)


def _unknown(message):
    fix = "Replace layers one after another to find the one that it is."
    return Problem("", "converter", message, fix)


def _open_inputs(student):
    """A problem for each input whose sizes are not all fixed."""
    return [
        Problem(
            one.name,
            "input",
            f"Its shape {tuple(one.shape)} is open, and a file has fixed sizes.",
            "Begin the model with keras.Input of fixed sizes.",
        )
        for one in getattr(student, "inputs", None) or []
        if None in one.shape[1:]
    ]


def _example(student):
    """An input of a subclassed model, whose shape only its first call told; or None."""
    if getattr(student, "inputs", None):
        return None
    shape = (student.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, tuple | list) or None in shape[1:]:
        return None
    return np.zeros((1, *shape[1:]), "float32")


def _refusals(error, source):
    """What the converter, or then LiteRT, refused, by layer."""
    missing = "TFLite has no builtin operation for it."
    fix = "Replace the layer by one of standard operations."
    printed = getattr(error, "printed", "") or str(error)
    found = [
        Problem(_layer(scopes), operation, missing, fix)
        for scopes, operation in _REFUSED.findall(printed)
    ]
    unusable = {one or other for one, other in _UNUSABLE.findall(printed)}
    if unusable:
        reason = "TFLite has the operation, but not for its types and sizes here."
        by_name = _layers_by_operation(source)
        found += [
            Problem(layer, name, reason, fix)
            for name in sorted(unusable)
            for layer in by_name.get(name, [""])
        ]
    return list(dict.fromkeys(found))


def _layer(scopes):
    return next(iter(layer_names(scopes)), "")


def _layers_by_operation(source):
    try:
        operations = _convert(source, in_int8=False, runs=False).operations
    except ConversionError:
        return {}
    found = {}
    for one in operations:
        found.setdefault(one.name, []).append(one.layer)
    return found


def _loops_of(source):
    """The loops that the converter crashes on in int8, and does not in float."""
    try:
        inspection = _convert(source, in_int8=False, runs=False)
    except ConversionError:
        return []
    return loops(inspection, "It loops, and the converter crashes on that in int8.")

"""What each target lacks, found in a file that was made for it."""

import math
from dataclasses import dataclass

from keras_kd.export import _micro, _tflite

TARGETS = ("mobile", "browser", "microcontroller")
# https://www.npmjs.com/package/@litertjs/core 2.5.3 refuses others.
_BROWSER_DTYPES = {"float32", "int32", "uint8"}
_UNROLL = "Build recurrent layers with unroll=True."
_INSTEAD = {
    "GELU": 'Use activation="relu" or "hard_swish".',
    "SELECT": "It comes from Embedding: give Dense a one-hot input instead.",
    "TOPK_V2": "Leave the sorting to the program that reads the output.",
}


@dataclass(frozen=True)
class Problem:
    """Something in a student that a target cannot run, or not well.

    Attributes:
        layer: str, the path of the layer, such as "backbone/lstm"; "" for the model.
        operation: str, of TFLite or TensorFlow; or "input", "output", "interface",
            "arena", "converter".
        reason: str, a sentence.
        fix: str, a sentence in the imperative.
    """

    layer: str
    operation: str
    reason: str
    fix: str

    def __str__(self):
        where = f'layer "{self.layer}"' if self.layer else "the model"
        return f"{where}, {self.operation}: {self.reason} {self.fix}"


def findings(inspection, target, ram_bytes):
    """What is wrong with a file on a target, and what is to be known.

    Args:
        inspection: its `Inspection`.
        target: str, one of `TARGETS`.
        ram_bytes: int or None.

    Returns:
        `(problems, remarks)`, lists of `Problem`.
    """
    problems = [
        Problem(
            one.layer,
            one.name.removeprefix("CUSTOM:"),
            "TFLite has no builtin operation for it.",
            "Replace the layer by one of standard operations.",
        )
        for one in _first_of_each(inspection.not_builtin)
    ]
    remarks = _islands(inspection)
    if target == "microcontroller":
        problems += refused_by_micro(inspection) + _open_shapes(inspection)
        problems += _too_large(inspection, ram_bytes)
    else:
        remarks += loops(
            inspection,
            "It loops, which runs in float only: the converter crashes on int8.",
        )
    if target == "browser":
        problems += _not_for_browsers(inspection)
    return problems, remarks


def loops(inspection, reason):
    """A `Problem` for each layer that loops."""
    return [
        Problem(one.layer, one.name, reason, _UNROLL)
        for one in _first_of_each(inspection.loops)
    ]


def refused_by_micro(inspection):
    """A `Problem` for each operation that TensorFlow Lite Micro cannot run."""
    lacks = f"TensorFlow Lite Micro ({_micro.VERSION}) does not have it."
    other = "Replace the layer by one of the operations that it has."
    builtin = [
        one for one in inspection.operations if not one.name.startswith("CUSTOM:")
    ]
    missing = [one for one in builtin if one.name not in _micro.OPERATIONS]
    mixed = [one for one in builtin if _mixes_types(one)]
    return [
        Problem(one.layer, one.name, lacks, _INSTEAD.get(one.name, other))
        for one in _first_of_each(missing)
    ] + [
        Problem(
            one.layer,
            one.name,
            "TensorFlow Lite Micro has no floats with integer or float16 weights.",
            "Convert it as int8, with an input that can be quantised.",
        )
        for one in _first_of_each(mixed)
    ]


def _mixes_types(operation):
    dtypes = [tensor.dtype for tensor in operation.inputs[:2]]
    is_unpacking = operation.name == "DEQUANTIZE" and dtypes == ["float16"]
    return is_unpacking or _tflite.is_hybrid(operation.name, *dtypes)


def _open_shapes(inspection):
    open_ones = [
        one
        for one in inspection.operations
        if any(None in tensor.shape for tensor in one.outputs)
    ]
    return [
        Problem(
            one.layer,
            one.name,
            "The shape of its result is not known before it runs.",
            "Use operations whose results have a fixed shape.",
        )
        for one in _first_of_each(open_ones)
    ]


def _too_large(inspection, ram_bytes):
    needed = inspection.micro_arena_bytes
    if ram_bytes is None or needed <= ram_bytes:
        return []
    reason = (
        f"The arena takes up to {needed:,} bytes, {inspection.arena_bytes:,} of them "
        f"for activations, and there are {ram_bytes:,}"
    )
    if inspection.arena_bytes < needed // 2:
        count = len(inspection.operations)
        reason += f"; each of the {count} operations takes a part."
        return [Problem("", "arena", reason, "Use fewer layers, or fewer steps.")]
    largest = max(inspection.operations, key=_result_elements)
    reason += "; the result of this layer is the largest."
    fix = "Make its input or its number of channels smaller, or reduce it earlier."
    return [Problem(largest.layer, "arena", reason, fix)]


def _not_for_browsers(inspection):
    borders = [("input", one) for one in inspection.inputs]
    borders += [("output", one) for one in inspection.outputs]
    return [
        Problem(
            "",
            which,
            f"It is {tensor.dtype}; LiteRT.js takes float32, int32 and uint8.",
            "Let it be float32, or int32 for whole numbers.",
        )
        for which, tensor in borders
        if tensor.dtype not in _BROWSER_DTYPES
    ]


def _islands(inspection):
    reason = "It computes in float between integers, slow without a unit for floats."
    other = "Use another layer if that is too slow."
    normalise = "Use BatchNormalization for LayerNormalization if that is too slow."
    return [
        Problem(one.layer, one.name, reason, normalise if one.name == "NEG" else other)
        for one in _first_of_each(inspection.float_islands)
    ]


def _first_of_each(operations):
    """One operation of each name and layer."""
    found = {}
    for one in operations:
        found.setdefault((one.layer, one.name), one)
    return list(found.values())


def _result_elements(operation):
    return sum(
        math.prod(size or 1 for size in tensor.shape) for tensor in operation.outputs
    )

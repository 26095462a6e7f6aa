"""`keras-kd inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli._console import console, new_table


def command(
    tflite: Annotated[Path, typer.Argument(help="The .tflite file.")],
):
    """Show what a .tflite file computes, how much, and in what types."""
    from keras_kd.export import inspect

    found = inspect(tflite)
    console.print(_summary(found))
    console.print(_operations(found))


def _summary(found):
    rows = new_table(found.file, "measure", "value")
    for kind, tensors in (("input", found.inputs), ("output", found.outputs)):
        for tensor in tensors:
            rows.add_row(kind, f"{_shape(tensor.shape)} {tensor.dtype}")
    for name, value in (
        ("size of the file", f"{found.size_bytes:,} B"),
        ("weights in it", f"{found.weight_bytes:,} B"),
        ("parameters", f"{found.parameters:,}"),
        ("multiplications", f"{found.macs:,}"),
        ("activations at once", f"{found.arena_bytes:,} B"),
        ("arena on a microcontroller", f"at most {found.micro_arena_bytes:,} B"),
        ("not builtin", _named(found.not_builtin)),
        ("loops", _named(found.loops)),
        ("float between integers", _named(found.float_islands)),
    ):
        rows.add_row(name, value)
    rows.columns[1].no_wrap = False
    return rows


def _named(operations):
    """Such as "NEG in norm, norm_1"."""
    layers = {}
    for one in operations:
        name = one.name.removeprefix("CUSTOM:")
        layers.setdefault(name, {})[one.layer or "the model"] = None
    return "; ".join(f"{name} in {', '.join(of)}" for name, of in layers.items()) or "-"


def _operations(found):
    columns = ("operation", "layer", "result", "type", "weights", "MACs")
    rows = new_table("Operations", *columns)
    for column, width in zip(rows.columns[:3], (20, 22, 14), strict=True):
        column.justify, column.max_width, column.overflow = "left", width, "ellipsis"
    for one in found.operations:
        result = one.outputs[0]
        rows.add_row(
            "  " * bool(one.graph) + one.name.removeprefix("CUSTOM:"),
            one.layer,
            _shape(result.shape),
            result.dtype,
            f"{one.parameters:,}" if one.parameters else "-",
            f"{one.macs:,}" if one.macs else "-",
        )
    return rows


def _shape(shape):
    return "x".join("?" if size is None else str(size) for size in shape) or "one"


command.__name__ = "inspect"

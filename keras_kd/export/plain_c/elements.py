"""Calls of the kernels that work number by number, row by row, or move numbers."""

import math

import numpy as np

from keras_kd.export.plain_c.fixed_point import exponentials, quantised_factor
from keras_kd.export.plain_c.operations import clipping
from keras_kd.export.plain_c.parts import Array, Call, Record

_ROOM_BITS = 20


def look_up(operation):
    """A function of one number."""
    count = math.prod(operation.shape(operation.output))
    arguments = (Array(operation.table), count)
    return [Call("kd_look_up", arguments, operation.inputs[:1], operation.output)]


def addition(operation):
    """ADD and SUB."""
    scales = [operation.scale(number)[0] for number in operation.inputs]
    twice = 2 * max(scales)
    factors = [scale / twice for scale in scales]
    factors.append(twice / (2**_ROOM_BITS * operation.scale(operation.output)[0]))
    fields = {"sign": -1 if operation.name == "SUB" else 1}
    for name, factor in zip(("1", "2", "output"), factors, strict=True):
        multiplier, shift = quantised_factor(factor)
        fields |= {f"multiplier_{name}": multiplier, f"shift_{name}": shift}
    return _pair(operation, "kd_add", fields)


def multiplication(operation):
    """MUL."""
    first, second, output = (
        np.float32(operation.scale(number)[0])
        for number in (*operation.inputs, operation.output)
    )
    # In float32, as TensorFlow Lite does.
    multiplier, shift = quantised_factor(float(first * second / output))
    fields = {"multiplier_output": multiplier, "shift_output": shift}
    return _pair(operation, "kd_multiply", fields)


def mean(operation):
    """MEAN, over axes that lie side by side."""
    input_, axes = operation.inputs
    shape = operation.shape(input_)
    chosen = sorted({int(axis) % len(shape) for axis in operation.constant(axes)})
    between = range(chosen[0], chosen[-1] + 1)
    if any(shape[axis] != 1 for axis in between if axis not in chosen):
        raise operation.refused("its axes do not lie side by side")
    count = math.prod(shape[chosen[0] : chosen[-1] + 1])
    (from_scale, zero_point), (to_scale, _) = map(
        operation.scale, (input_, operation.output)
    )
    multiplier, shift = _divided(quantised_factor(from_scale / to_scale), count)
    fields = {
        "outer": math.prod(shape[: chosen[0]]),
        "count": count,
        "inner": math.prod(shape[chosen[-1] + 1 :]),
        "input_zero_point": zero_point,
        "range": _whole_range(operation),
        "multiplier": multiplier,
        "shift": shift,
    }
    record = Record("kd_average", fields)
    return [Call("kd_mean", (record,), (input_,), operation.output)]


def softmax(operation):
    """SOFTMAX, over the last axis."""
    if operation.scale(operation.output) != (1 / 256, -128):
        raise operation.refused("its output has another scale than 1/256")
    shape = operation.shape(operation.output)
    scale, _ = operation.scale(operation.inputs[0])
    beta = float(np.float32(operation.options.beta))
    table = Array(np.array(exponentials(scale * beta), "int32"))
    arguments = (table, math.prod(shape[:-1]), shape[-1])
    return [Call("kd_softmax", arguments, operation.inputs[:1], operation.output)]


def padding(operation):
    """PAD."""
    input_, amounts = operation.inputs
    shape = operation.shape(input_)
    if len(shape) > 4:
        raise operation.refused("its input has more than 4 axes")
    before, after = operation.constant(amounts).reshape(-1, 2).T.tolist()
    front = 4 - len(shape)
    fields = {
        "size": (*[1] * front, *shape),
        "before": (*[0] * front, *before),
        "after": (*[0] * front, *after),
        "value": operation.scale(operation.output)[1],
    }
    record = Record("kd_padding", fields)
    return [Call("kd_pad", (record,), (input_,), operation.output)]


def concatenation(operation):
    """CONCATENATION: the rows of each input at their place in those of the output."""
    shape = operation.shape(operation.output)
    axis = operation.options.axis % len(shape)
    scale = operation.scale(operation.output)
    if operation.options.fusedActivationFunction or any(
        operation.scale(number) != scale for number in operation.inputs
    ):
        raise operation.refused("its inputs have other scales than its output")
    rows, stride = math.prod(shape[:axis]), math.prod(shape[axis:])
    calls, offset = [], 0
    for number in operation.inputs:
        count = math.prod(operation.shape(number)[axis:])
        arguments = (rows, count, stride)
        calls.append(
            Call("kd_copy_rows", arguments, (number,), operation.output, offset)
        )
        offset += count
    return calls


def _pair(operation, function, fields):
    output = operation.shape(operation.output)
    if len(output) > 4:
        raise operation.refused("its output has more than 4 axes")
    first, second = operation.inputs
    fields = {
        "size": (*[1] * (4 - len(output)), *output),
        "stride_1": _strides(operation.shape(first)),
        "stride_2": _strides(operation.shape(second)),
        "zero_point_1": operation.scale(first)[1],
        "zero_point_2": operation.scale(second)[1],
        "range": clipping(operation),
        **fields,
    }
    record = Record("kd_pair", fields)
    return [Call(function, (record,), (first, second), operation.output)]


def _strides(shape):
    """Of four axes; 0 for an axis of size 1, along which the array is repeated."""
    sizes = (*[1] * (4 - len(shape)), *shape)
    return tuple(
        0 if size == 1 else math.prod(sizes[axis + 1 :])
        for axis, size in enumerate(sizes)
    )


def _divided(factor, count):
    """A quantised factor over a count, in integers as the reference kernel has it."""
    multiplier, shift = factor
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << bits) // count, shift - bits


def _whole_range(operation):
    _, zero_point = operation.scale(operation.output)
    return {"zero_point": zero_point, "least": -128, "most": 127}

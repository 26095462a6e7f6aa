"""Calls of the kernels that move a window over an image."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_kd.export.plain_c.fixed_point import quantised_factor
from keras_kd.export.plain_c.operations import clipping
from keras_kd.export.plain_c.parts import Array, Call, Record


def convolution(operation):
    """CONV_2D."""
    weights = operation.shape(operation.inputs[1])
    if weights[3] != operation.shape(operation.inputs[0])[3]:
        raise operation.refused("it has several groups of channels")
    return _convolution(operation, "kd_conv_2d", weights[1:3])


def depthwise_convolution(operation):
    """DEPTHWISE_CONV_2D."""
    _, *size, channels = operation.shape(operation.inputs[1])
    [call] = _convolution(operation, "kd_depthwise_conv_2d", size)
    fields = call.arguments[0].fields
    fields["depth_multiplier"] = channels // fields["input"]["channels"]
    return [call]


def dense(operation):
    """FULLY_CONNECTED, over an image of one row."""
    outputs, inputs = operation.shape(operation.inputs[1])
    rows = int(np.prod(operation.shape(operation.inputs[0]))) // inputs
    window = {"height": 1, "width": 1, "stride_y": 1, "stride_x": 1}
    window |= {"dilation_y": 1, "dilation_x": 1, "padding_y": 0, "padding_x": 0}
    fields = {
        "input": {"height": 1, "width": rows, "channels": inputs},
        "output": {"height": 1, "width": rows, "channels": outputs},
        "window": window,
        **_weighted(operation),
    }
    return [_call(operation, "kd_conv_2d", "kd_convolution", fields)]


def pooling(operation):
    """MAX_POOL_2D and AVERAGE_POOL_2D."""
    options = operation.options
    size = (options.filterHeight, options.filterWidth)
    fields = {**_image(operation, size), "range": clipping(operation)}
    function = f"kd_{operation.name.lower()}"
    return [_call(operation, function, "kd_pooling", fields)]


def _convolution(operation, function, size):
    fields = {**_image(operation, size), **_weighted(operation)}
    return [_call(operation, function, "kd_convolution", fields)]


def _call(operation, function, record, fields):
    return Call(
        function, (Record(record, fields),), operation.inputs[:1], operation.output
    )


def _image(operation, size):
    """The sizes of input and output, and the window with its padding."""
    input_, output = (
        operation.shape(number) for number in (operation.inputs[0], operation.output)
    )
    if input_[0] != 1 or len(input_) != 4:
        raise operation.refused(f"its input has the shape {input_}, not one image")
    options = operation.options
    dilations = [
        getattr(options, f"dilation{axis}Factor", 1) or 1 for axis in ("H", "W")
    ]
    strides = (options.strideH, options.strideW)
    is_same = options.padding == schema.Padding.SAME
    padding = [
        max((made - 1) * stride + (steps - 1) * dilation + 1 - given, 0) // 2 * is_same
        for made, given, stride, steps, dilation in zip(
            output[1:3], input_[1:3], strides, size, dilations, strict=True
        )
    ]
    window = dict(zip(("height", "width"), map(int, size), strict=True))
    for name, (y, x) in (
        ("stride", strides),
        ("dilation", dilations),
        ("padding", padding),
    ):
        window |= {f"{name}_y": int(y), f"{name}_x": int(x)}
    return {"input": _size(input_), "output": _size(output), "window": window}


def _size(shape):
    return dict(zip(("height", "width", "channels"), shape[1:], strict=True))


def _weighted(operation):
    """The fields that weights and their scales make."""
    input_, weights, *bias = operation.inputs
    if not operation.is_constant(weights):
        raise operation.refused("its weights are computed when the file runs")
    zero_points = operation.tensor(weights).quantization.zeroPoint
    if np.any(zero_points):
        raise operation.refused("its weights have a zero point that is not 0")
    factors = [quantised_factor(factor) for factor in _factors(operation)]
    multiplier, shift = np.transpose(factors)
    return {
        "input_zero_point": operation.scale(input_)[1],
        "range": clipping(operation),
        "weights": Array(operation.constant(weights)),
        "bias": Array(operation.constant(bias[0])) if bias else None,
        "multiplier": Array(multiplier.astype("int32")),
        "shift": Array(shift.astype("int8")),
    }


def _factors(operation):
    """Scale of the products over that of the output, for each output channel."""
    input_, weights = operation.inputs[:2]
    input_scale, _ = operation.scale(input_)
    output_scale, _ = operation.scale(operation.output)
    scales = operation.scales(weights)
    channels = operation.shape(operation.output)[-1]
    if operation.name == "FULLY_CONNECTED" and len(scales) == 1:
        # TensorFlow Lite rounds this product to float32, and no other.
        product = np.float32(input_scale) * np.float32(scales[0])
        return np.full(channels, float(product) / output_scale)
    return np.broadcast_to(input_scale * scales / output_scale, channels)

"""Inverted residuals with squeeze-and-excite, in the way of MobileNetV3."""

from typing import NamedTuple

import keras
from keras import layers

from keras_kd._checks import check_positive

_DIVISOR = 8


class _Stage(NamedTuple):
    channels: int
    expansion: int
    blocks: int
    strides: int
    excite: bool
    activation: str


# Half the resolutions of MobileNetV3-Small, for images of 32 to 128 pixels.
_STAGES = (
    _Stage(16, 1, 1, 1, True, "relu"),
    _Stage(24, 4, 2, 2, False, "relu"),
    _Stage(40, 4, 3, 2, True, "hard_swish"),
    _Stage(96, 6, 2, 2, True, "hard_swish"),
)


def inverted_residual_net(
    input_shape, num_classes, *, width=1.0, name="inverted_residual_net"
):
    """Narrow residual blocks that widen for a depthwise convolution, and gate it.

    Runs on: mobile, browser, microcontroller.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: int, the units of the head, which gives logits.
        width: float > 0, of all channels; they are multiples of 8.
        name: str.

    Returns:
        An untrained Functional `keras.Model`. Its stages end in layers named "stage_1"
        to "stage_4".

    Reference:
        MobileNetV3, Howard et al., 2019, https://arxiv.org/abs/1905.02244.
        Departures: four stages for small images, 3x3 kernels only.

    Example:
        >>> inverted_residual_net((32, 32, 3), 10, width=0.5).output_shape
        (None, 10)
    """
    check_positive("inverted_residual_net", "width", width)
    inputs = keras.Input(input_shape, name="image")
    first = _channels(16, width)
    x = layers.Conv2D(first, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = _activated(x, "hard_swish")
    for number, stage in enumerate(_STAGES, start=1):
        for block in range(stage.blocks):
            x = _block(
                x,
                stage,
                _channels(stage.channels, width),
                strides=stage.strides if block == 0 else 1,
                name=f"stage_{number}" if block == stage.blocks - 1 else None,
            )
    x = layers.Conv2D(6 * x.shape[-1], 1, use_bias=False)(x)
    x = layers.GlobalAveragePooling2D(name="features")(_activated(x, "hard_swish"))
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)


def _channels(size, width):
    nearest = int(size * width / _DIVISOR + 0.5) * _DIVISOR
    return max(_DIVISOR, nearest)


def _block(x, stage, channels, strides, name):
    before, wide = x, stage.expansion * x.shape[-1]
    if stage.expansion > 1:
        x = layers.Conv2D(wide, 1, use_bias=False)(x)
        x = _activated(x, stage.activation)
    x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
    x = _activated(x, stage.activation)
    if stage.excite:
        x = _excited(x, wide)
    x = layers.Conv2D(channels, 1, use_bias=False)(x)
    if strides > 1 or before.shape[-1] != channels:
        return layers.BatchNormalization(momentum=0.9, name=name)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Add(name=name)([before, x])


def _excited(x, channels):
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    y = layers.Conv2D(max(_DIVISOR, channels // 4), 1, activation="relu")(y)
    y = layers.Conv2D(channels, 1, activation="hard_sigmoid")(y)
    return layers.Multiply()([x, y])


def _activated(x, activation):
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation)(x)

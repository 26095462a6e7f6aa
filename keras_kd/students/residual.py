"""A small residual network."""

import keras
from keras import layers

from keras_kd._checks import check_positive


def residual_net(
    input_shape,
    num_classes,
    *,
    width,
    stages=3,
    blocks=1,
    stem_strides=1,
    name="residual_net",
):
    """Residual blocks of two 3x3 convolutions; each stage halves the image.

    With width 16, 3 stages and one block it is the ResNet-8 of the MLPerf Tiny
    benchmark, with 3 blocks the ResNet-20 for CIFAR-10.

    Runs on: mobile, browser, microcontroller.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: int, the units of the head, which gives logits.
        width: int > 0, the channels of the first stage; each stage doubles them.
        stages: int > 0.
        blocks: int > 0, of each stage.
        stem_strides: int > 0, of the first convolution; with 2 a model of as many
            weights takes a quarter of the multiplications.
        name: str.

    Returns:
        An untrained Functional `keras.Model`. Its stages end in layers named "stage_1",
        "stage_2", ….

    Reference:
        He et al., 2016, https://arxiv.org/abs/1512.03385, section 4.2.
        Departures: where the size changes, the shortcut is a 1x1 convolution, as in
        MLPerf Tiny; convolutions have no biases, which it has.

    Example:
        >>> residual_net((32, 32, 3), 10, width=16).count_params()
        78330
    """
    sizes = {"width": width, "stages": stages, "blocks": blocks}
    sizes["stem_strides"] = stem_strides
    for argument, value in sizes.items():
        check_positive("residual_net", argument, value)
    inputs = keras.Input(input_shape, name="image")
    x = layers.ReLU()(_convolution(inputs, width, strides=stem_strides))
    for stage in range(1, stages + 1):
        for block in range(1, blocks + 1):
            x = _block(
                x,
                width * 2 ** (stage - 1),
                strides=2 if stage > 1 and block == 1 else 1,
                name=f"stage_{stage}" if block == blocks else None,
            )
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)


def _block(x, channels, strides, name):
    y = layers.ReLU()(_convolution(x, channels, strides=strides))
    y = _convolution(y, channels)
    if strides > 1:
        x = layers.Conv2D(channels, 1, strides=strides, use_bias=False)(x)
    return layers.ReLU(name=name)(layers.Add()([x, y]))


def _convolution(x, channels, strides=1):
    x = layers.Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)

"""A depthwise-separable convolutional network, as for keywords on microcontrollers."""

import keras
from keras import layers

from keras_kd._checks import check_positive


def separable_convnet(
    input_shape,
    num_classes,
    *,
    width,
    blocks=4,
    kernel_size=3,
    name="separable_convnet",
):
    """One convolution of stride 2, then depthwise and pointwise ones, all of one width.

    Runs on: mobile, browser, microcontroller.

    Args:
        input_shape: `(height, width, channels)`; `(frames, coefficients, 1)` for sound.
        num_classes: int, the units of the head, which gives logits.
        width: int > 0, the channels; parameters grow with its square.
        blocks: int > 0, of a depthwise and a pointwise convolution.
        kernel_size: int or pair, of the first convolution; `(10, 4)` in the paper.
        name: str.

    Returns:
        An untrained Functional `keras.Model`. Its blocks end in layers named "block_1",
        "block_2", ….

    Reference:
        DS-CNN, Zhang et al., 2017, https://arxiv.org/abs/1711.07128.
        Departures: no dropout; BatchNormalization momentum 0.9, for short trainings.

    Example:
        >>> model = separable_convnet(
        ...     (49, 10, 1), 12, width=64, kernel_size=(10, 4)
        ... )
        >>> model.count_params()
        24332
    """
    for argument, value in (("width", width), ("blocks", blocks)):
        check_positive("separable_convnet", argument, value)
    inputs = keras.Input(input_shape, name="image")
    x = layers.Conv2D(width, kernel_size, strides=2, padding="same", use_bias=False)(
        inputs
    )
    x = _normalised(x)
    for block in range(1, blocks + 1):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = _normalised(x)
        x = layers.Conv2D(width, 1, use_bias=False)(x)
        x = _normalised(x, name=f"block_{block}")
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)


def _normalised(x, name=None):
    return layers.ReLU(name=name)(layers.BatchNormalization(momentum=0.9)(x))

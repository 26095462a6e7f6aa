"""A plain convolutional network, from tiny to middling by its width."""

import keras
from keras import layers

from keras_kd._checks import check_positive


def convnet(input_shape, num_classes, *, width, blocks=2, name="convnet"):
    """A stack of convolution, BatchNormalization, ReLU; pooled; one dense layer.

    Each block has two 3x3 convolutions and halves the image; each doubles the width.
    Every operation is a TFLite builtin with an int8 kernel.

    Runs on: mobile, browser, microcontroller.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: int, the units of the head, which gives logits.
        width: int > 0, the channels of the first block; parameters grow with its
            square.
        blocks: int > 0.
        name: str.

    Returns:
        An untrained Functional `keras.Model`. Its blocks end in layers named "block_1",
        "block_2", ….

    Example:
        >>> convnet((8, 8, 1), 10, width=4).count_params()
        1230
    """
    for argument, value in (("width", width), ("blocks", blocks)):
        check_positive("convnet", argument, value)
    inputs = keras.Input(input_shape, name="image")
    x = inputs
    for block in range(1, blocks + 1):
        channels = width * 2 ** (block - 1)
        x = _convolution(x, channels)
        x = _convolution(x, channels, name=f"block_{block}")
        if block < blocks:
            x = layers.MaxPooling2D(padding="same")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)


def _convolution(x, channels, name=None):
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
    # Keras's momentum of 0.99 takes some 500 steps to forget its starting values; small
    # data sets end before that, and the trained model would predict with them.
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU(name=name)(x)

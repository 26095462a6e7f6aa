"""Small models of the kinds that people export, trained for a moment on easy data.

Untrained models would be unfair to integer precisions: their outputs are near equal,
and BatchNormalization has not seen data.
"""

import keras
import numpy as np
from keras import layers

NUM_CLASSES = 4
IMAGE = (16, 16, 3)
SEQUENCE = (12, 8)
SOUND = (40, 10)
TABLE = (16,)
WORDS = (16,)
VOCABULARY = 50


def _normalised(x, activation="relu"):
    # The training is too short for the statistics of the usual momentum.
    x = layers.BatchNormalization(momentum=0.7)(x)
    return layers.Activation(activation)(x) if activation else x


def _conv(x, filters, size=3, *, strides=1, activation="relu"):
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    return _normalised(x, activation)


def _depthwise(x, *, strides=1, size=3, activation="relu"):
    x = layers.DepthwiseConv2D(size, strides=strides, padding="same", use_bias=False)(x)
    return _normalised(x, activation)


def _classifier(inputs, x, activation=None):
    return keras.Model(inputs, layers.Dense(NUM_CLASSES, activation=activation)(x))


def _image_model(body, activation=None):
    inputs = keras.Input(IMAGE)
    x = layers.GlobalAveragePooling2D()(body(inputs))
    return _classifier(inputs, x, activation)


def plain_cnn():
    """Convolutions, BatchNormalization, ReLU, pooling; logits."""
    return _image_model(lambda x: _conv(layers.MaxPooling2D()(_conv(x, 8)), 16))


def plain_cnn_softmax():
    """The same with probabilities."""
    return _image_model(
        lambda x: _conv(layers.MaxPooling2D()(_conv(x, 8)), 16), "softmax"
    )


def depthwise_separable():
    """MobileNetV1's blocks (https://arxiv.org/abs/1704.04861)."""

    def body(x):
        x = _conv(x, 8, strides=2)
        for filters, strides in ((16, 1), (24, 2)):
            x = _conv(_depthwise(x, strides=strides), filters, 1)
        return x

    return _image_model(body)


def residual():
    """ResNet's blocks (https://arxiv.org/abs/1512.03385)."""

    def body(x):
        x = _conv(x, 8)
        for filters in (8, 16):
            shortcut = x
            strides = 1 if filters == x.shape[-1] else 2
            x = _conv(_conv(x, filters, strides=strides), filters, activation=None)
            if strides == 2:
                shortcut = _conv(shortcut, filters, 1, strides=2, activation=None)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
        return x

    return _image_model(body)


def _squeeze_excite(x, gate="sigmoid"):
    channels = x.shape[-1]
    scale = layers.GlobalAveragePooling2D(keepdims=True)(x)
    scale = layers.Conv2D(channels // 4, 1, activation="relu")(scale)
    scale = layers.Conv2D(channels, 1, activation=gate)(scale)
    return layers.Multiply()([x, scale])


def squeeze_excite():
    """Channels that weigh each other (https://arxiv.org/abs/1709.01507)."""
    return _image_model(lambda x: _conv(_squeeze_excite(_conv(x, 16)), 16, strides=2))


def _inverted_residual(x, filters, *, activation, excite=False, size=3):
    y = _conv(x, 3 * x.shape[-1], 1, activation=activation)
    y = _depthwise(y, size=size, activation=activation)
    y = _squeeze_excite(y, "hard_sigmoid") if excite else y
    y = _conv(y, filters, 1, activation=None)
    return layers.Add()([x, y]) if filters == x.shape[-1] else y


def mobilenet_v2():
    """Inverted residuals with ReLU6 (https://arxiv.org/abs/1801.04381)."""

    def body(x):
        x = _conv(x, 8, strides=2, activation="relu6")
        x = _inverted_residual(x, 8, activation="relu6")
        return _inverted_residual(x, 16, activation="relu6")

    return _image_model(body)


def mobilenet_v3():
    """The same with hard-swish and squeeze-excite (https://arxiv.org/abs/1905.02244)."""

    def body(x):
        x = _conv(x, 8, strides=2, activation="hard_swish")
        x = _inverted_residual(x, 8, activation="hard_swish", excite=True)
        return _inverted_residual(x, 16, activation="hard_swish", excite=True, size=5)

    return _image_model(body)


def inception():
    """Branches that are concatenated (https://arxiv.org/abs/1409.4842)."""

    def body(x):
        x = _conv(x, 8, strides=2)
        pooled = layers.AveragePooling2D(3, strides=1, padding="same")(x)
        branches = [_conv(x, 8, 1), _conv(x, 8, 3), _conv(pooled, 8, 1)]
        return layers.Concatenate()(branches)

    return _image_model(body)


class Positions(layers.Layer):
    """Adds a learned vector for each position."""

    def build(self, input_shape):
        self.table = self.add_weight(shape=input_shape[1:], initializer="uniform")

    def call(self, inputs):
        return inputs + self.table


def vision_transformer():
    """Patches, attention, LayerNormalization, GELU (https://arxiv.org/abs/2010.11929)."""
    width = 16
    inputs = keras.Input(IMAGE)
    x = layers.Conv2D(width, 4, strides=4)(inputs)
    x = Positions()(layers.Reshape((-1, width))(x))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, width // 2)(y, y)])
        y = layers.LayerNormalization()(x)
        y = layers.Dense(width)(layers.Dense(2 * width, activation="gelu")(y))
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return _classifier(inputs, x)


def mlp_layer_norm():
    """Dense layers with LayerNormalization, for tables."""
    inputs = x = keras.Input(TABLE)
    for _ in range(2):
        x = layers.ReLU()(layers.LayerNormalization()(layers.Dense(32)(x)))
    return _classifier(inputs, x)


def _recurrent(layer):
    inputs = keras.Input(SEQUENCE)
    return _classifier(inputs, layer(inputs))


def lstm():
    """An LSTM as Keras makes it, which loops."""
    return _recurrent(layers.LSTM(8))


def lstm_unrolled():
    """An LSTM without a loop."""
    return _recurrent(layers.LSTM(8, unroll=True))


def gru():
    """A GRU as Keras makes it, which loops."""
    return _recurrent(layers.GRU(8))


def gru_unrolled():
    """A GRU without a loop."""
    return _recurrent(layers.GRU(8, unroll=True))


def bidirectional_unrolled():
    """Two LSTMs, one of which reads backwards."""
    return _recurrent(layers.Bidirectional(layers.LSTM(6, unroll=True)))


def keyword_spotting():
    """Convolutions over time, as for spoken words."""
    inputs = x = keras.Input(SOUND)
    for filters in (16, 24):
        x = layers.Conv1D(filters, 5, strides=2, padding="same", use_bias=False)(x)
        x = _normalised(x)
    return _classifier(inputs, layers.GlobalAveragePooling1D()(x))


def text():
    """The mean of embedded words."""
    inputs = keras.Input(WORDS, dtype="int32")
    x = layers.Embedding(VOCABULARY, 16)(inputs)
    x = layers.Dense(16, activation="relu")(layers.GlobalAveragePooling1D()(x))
    return _classifier(inputs, x)


ARCHITECTURES = {
    build.__name__: build
    for build in (
        plain_cnn,
        plain_cnn_softmax,
        depthwise_separable,
        residual,
        squeeze_excite,
        mobilenet_v2,
        mobilenet_v3,
        inception,
        vision_transformer,
        mlp_layer_norm,
        keyword_spotting,
        text,
        lstm,
        lstm_unrolled,
        gru,
        gru_unrolled,
        bidirectional_unrolled,
    )
}


def easy_data(model, number=256):
    """Examples of classes that are easily told apart, always the same.

    Args:
        model: one of `ARCHITECTURES`.
        number: int.

    Returns:
        Inputs `(number, ...)` and class numbers `(number,)`.
    """
    generator = np.random.default_rng(0)
    shape, dtype = model.inputs[0].shape[1:], model.inputs[0].dtype
    y = np.arange(number) % NUM_CLASSES
    if dtype == "int32":
        words = generator.integers(0, VOCABULARY, (NUM_CLASSES, 8))
        picked = generator.integers(0, 8, (number, *shape))
        own = np.take_along_axis(words[y], picked, axis=1)
        other = generator.integers(0, VOCABULARY, (number, *shape))
        return np.where(generator.random(own.shape) < 0.6, own, other).astype(dtype), y
    typical = generator.normal(size=(NUM_CLASSES, *shape))
    # The mean of a class, too, tells it: some of the models average over all places.
    typical += generator.normal(size=(NUM_CLASSES, *(1 for _ in shape[1:]), shape[-1]))
    x = 0.3 * typical[y] + generator.normal(size=(number, *shape))
    return x.astype(dtype), y


def trained(name, *, steps=30):
    """A model that was trained for a moment, the same at every call.

    Args:
        name: str, of `ARCHITECTURES`.
        steps: int.

    Returns:
        The model, inputs and class numbers to calibrate and to score on.
    """
    keras.utils.set_random_seed(0)
    model = ARCHITECTURES[name]()
    model.name = name
    x, y = easy_data(model)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=name != "plain_cnn_softmax"
    )
    model.compile(keras.optimizers.Adam(0.01), loss)
    for step in range(steps):
        rows = slice(64 * step % len(x), 64 * step % len(x) + 64)
        model.train_on_batch(x[rows], y[rows])
    return model, x, y

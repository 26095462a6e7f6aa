"""Small models, one for each kind of layer that quantisation-aware training takes."""

import keras
import numpy as np
from keras import layers, ops

IMAGE = (8, 8, 4)
SEQUENCE = (16, 4)


def stack(*parts, shape=IMAGE):
    return keras.Sequential([keras.Input(shape), *parts])


def conv(filters=6, size=3, **options):
    return layers.Conv2D(filters, size, padding="same", **options)


def joined(join):
    """A model that joins two maps `(8, 8, 4)` of different ranges."""
    inputs = keras.Input(IMAGE)
    first = conv(4)(inputs)
    second = conv(4)(layers.ReLU()(first))
    return keras.Model(inputs, conv()(join(first, second)))


def squeezed(first, second):
    """What squeeze-and-excitation does."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(second)
    x = layers.Conv2D(2, 1, activation="relu")(x)
    x = layers.Conv2D(4, 1, activation="hard_sigmoid")(x)
    return layers.Multiply()([first, x])


def shared():
    """One convolution, norm and ReLU, run twice."""
    inputs = keras.Input(IMAGE)
    parts = conv(4, name="conv"), layers.BatchNormalization(), layers.ReLU()
    x = inputs
    for part in parts * 2:
        x = part(x)
    return keras.Model(inputs, conv()(layers.Add()([x, inputs])))


def shared_before_two_norms():
    """A convolution that runs twice, each time before another norm."""
    inputs = keras.Input(IMAGE)
    convolution = conv(4)
    x = layers.ReLU()(layers.BatchNormalization()(convolution(inputs)))
    x = layers.ReLU()(layers.BatchNormalization()(convolution(x)))
    return keras.Model(inputs, conv()(x))


def nested():
    """A Sequential and a Functional model inside another, in inference mode."""
    backbone = keras.Sequential(
        [keras.Input(IMAGE), conv(name="a"), layers.BatchNormalization(name="b")],
        name="backbone",
    )
    inner = keras.Input((8, 8, 6))
    neck = keras.Model(inner, layers.Add()([inner, conv(name="c")(inner)]), name="neck")
    inputs = keras.Input(IMAGE)
    x = layers.ReLU()(neck(backbone(inputs, training=False)))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax", name="d")(x))


def normalised():
    norm = layers.Normalization()
    norm.adapt(np.random.default_rng(0).uniform(-2, 2, (64, *IMAGE)).astype("float32"))
    return stack(norm, conv())


def _norm_relu():
    return layers.BatchNormalization(), layers.ReLU()


WEIGHTED = {
    "convolution": lambda: stack(conv(use_bias=False), *_norm_relu(), conv()),
    "dilated": lambda: stack(conv(dilation_rate=2), conv(8, groups=2)),
    "strided": lambda: stack(layers.Conv2D(6, 3, strides=2), layers.Flatten()),
    "conv1d": lambda: stack(
        layers.Conv1D(6, 3, padding="same"),
        *_norm_relu(),
        layers.MaxPooling1D(2),
        layers.Conv1D(4, 3, padding="causal", dilation_rate=2),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
        shape=SEQUENCE,
    ),
    "transposed": lambda: stack(
        layers.Conv2DTranspose(6, 3, strides=2, padding="same"), *_norm_relu(), conv()
    ),
    "depthwise": lambda: stack(
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        conv(),
    ),
    "separable": lambda: stack(
        layers.SeparableConv2D(6, 3, strides=2, depth_multiplier=2, padding="same"),
        *_norm_relu(),
        conv(),
    ),
    "dense": lambda: stack(
        layers.Flatten(), layers.Dense(12), *_norm_relu(), layers.Dense(5)
    ),
    "dense_of_tokens": lambda: stack(
        layers.Dense(6, activation="relu"), layers.Dense(5), shape=SEQUENCE
    ),
    "norm_first": lambda: stack(layers.BatchNormalization(), layers.ReLU(), conv()),
    "norm_after_relu": lambda: stack(
        layers.Flatten(),
        layers.Dense(12, activation="relu"),
        layers.BatchNormalization(center=False, scale=False),
        layers.Dense(5),
    ),
    "rescaling": lambda: stack(layers.Rescaling(1 / 2.5, -0.5), conv()),
    "normalization": normalised,
    "shared": shared,
    "shared_before_two_norms": shared_before_two_norms,
    "nested": nested,
}
ACTIVATIONS = {
    " ".join(names): lambda names=names: stack(
        *(
            part
            for name in names
            for part in (conv(activation=name), conv(), layers.Activation(name))
        ),
        conv(),
    )
    for names in (
        ("relu6", "sigmoid", "tanh"),
        ("hard_swish", "hard_sigmoid", "silu"),
        ("softmax", "gelu", "leaky_relu"),
    )
}
OTHERS = {
    "leaky_relu_layer": lambda: stack(conv(), layers.LeakyReLU(), conv()),
    "prelu": lambda: stack(conv(), layers.PReLU(shared_axes=[1, 2]), conv()),
    "softmax_layer": lambda: stack(conv(), layers.Softmax(), conv()),
    "average_pooling": lambda: stack(conv(), layers.AveragePooling2D(2), conv()),
    "pooling": lambda: stack(
        conv(), layers.MaxPooling2D(), layers.ReLU(), layers.GlobalMaxPooling2D()
    ),
    "moving": lambda: stack(
        layers.ZeroPadding2D(),
        conv(),
        layers.Cropping2D(),
        layers.Permute((2, 1, 3)),
        layers.UpSampling2D(),
        layers.Reshape((10, 40, 6)),
        conv(),
    ),
    "bilinear": lambda: stack(
        conv(), layers.UpSampling2D(interpolation="bilinear"), conv()
    ),
    "gone_at_inference": lambda: stack(
        layers.RandomFlip(), conv(), layers.Dropout(0.2), layers.ReLU(), conv()
    ),
    "add": lambda: joined(lambda a, b: layers.ReLU()(layers.Add()([a, b]))),
    "add_three": lambda: joined(lambda a, b: layers.Add()([a, b, layers.ReLU()(b)])),
    "subtract": lambda: joined(lambda a, b: layers.Subtract()([a, b])),
    "multiply": lambda: joined(squeezed),
    "maximum": lambda: joined(lambda a, b: layers.Maximum()([a, b])),
    "minimum": lambda: joined(lambda a, b: layers.Minimum()([a, b])),
    "concatenate": lambda: joined(lambda a, b: layers.Concatenate()([a, b])),
    "plus": lambda: joined(lambda a, b: ops.relu(a + b)),
    "constants": lambda: joined(lambda a, b: layers.ReLU(6.0)(a + 3.0) / 6 * b - 1.5),
    "one_minus": lambda: joined(lambda a, b: 1.0 - a[:, ::2, ::2] * b[:, 1::2, ::2]),
}
EVERY = {**WEIGHTED, **ACTIVATIONS, **OTHERS}


def with_random_weights(model, seed=0):
    """The model, with norms that do something, and weights that keep values near 1."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        name = weight.path.split("/")[-1]
        if name in ("moving_variance", "gamma"):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        elif "kernel" in name:
            fan_in = np.prod(weight.shape[:-1])
            weight.assign(generator.normal(size=weight.shape) * (2 / fan_in) ** 0.5)
        elif name in ("bias", "beta", "moving_mean"):
            weight.assign(generator.normal(size=weight.shape) * 0.3)
    return model


def examples(model, number=32, seed=0):
    """Inputs of a model, from -2 to 2."""
    shape = (number, *model.inputs[0].shape[1:])
    return np.random.default_rng(seed).uniform(-2, 2, shape).astype("float32")

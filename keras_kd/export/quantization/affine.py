"""A scale and an offset for each channel, as a file computes them in integers."""

import keras
from keras import ops

from keras_kd.export.quantization.fake_quant import (
    fake_quantise_bias,
    fake_quantise_weights,
    weights_range,
)
from keras_kd.export.quantization.output import QuantizedOutput
from keras_kd.export.quantization.sources import input_step


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedAffine(QuantizedOutput, keras.layers.Layer):
    """x · scale + offset: a BatchNormalization that no layer before it can take in.

    Rescaling, Normalization and arithmetic with constants are the same. In a file it is
    a depthwise convolution of size 1, whose one weight a channel is exact in any number
    of bits.

    Args:
        constant: bool, scale and offset are not to be trained.
        **kwargs: for `QuantizedOutput` and `keras.layers.Layer`.
    """

    def __init__(self, *, constant=False, **kwargs):
        super().__init__(**kwargs)
        self.constant = constant

    def build(self, input_shape):
        """Makes the weights, `(channels,)` each, and the range."""
        options = {"shape": input_shape[-1:], "trainable": not self.constant}
        self.scale = self.add_weight(name="scale", initializer="ones", **options)
        self.offset = self.add_weight(name="offset", initializer="zeros", **options)
        super().build(input_shape)

    def call(self, inputs, training=None):
        """The result for `(batch, ..., channels)`, in the same shape."""
        channels = self.scale.shape[0]
        is_image = len(inputs.shape) == 4
        x = inputs if is_image else ops.reshape(inputs, (-1, 1, 1, channels))
        scale = ops.reshape(self.scale, (1, 1, channels))
        kernel = fake_quantise_weights(scale, self.offset, num_bits=8)
        x = ops.depthwise_conv(x, ops.reshape(kernel, (1, 1, channels, 1)))
        x = x + fake_quantise_bias(
            self.offset,
            weights_range(scale, self.offset),
            num_bits=8,
            input_step=input_step(self),
        )
        x = self.finish(x)
        return x if is_image else ops.reshape(x, (-1, *inputs.shape[1:]))

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return input_shape

    def get_config(self):
        """What the constructor takes."""
        return {**super().get_config(), "constant": self.constant}

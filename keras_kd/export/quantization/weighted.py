"""Layers with kernels, which are rounded whenever the layer runs.

Convolutions have a range for each channel; `Dense` and `Conv2DTranspose` one for all,
as the converter takes no other there.
"""

import keras
from keras import layers, ops

from keras_kd.export.quantization.fake_quant import (
    fake_quantise_bias,
    fake_quantise_weights,
    product_step,
    rescale_twice,
    weights_range,
)
from keras_kd.export.quantization.output import QuantizedOutput
from keras_kd.export.quantization.ranges import ActivationRange
from keras_kd.export.quantization.sources import input_step, next_step


class QuantizedWeights(QuantizedOutput):
    """A `QuantizedOutput` with a kernel; a mixin like it.

    Args:
        *args: for the Keras layer.
        weights_bits: int, 4 or 8.
        **kwargs: for `QuantizedOutput` and the Keras layer.
    """

    # Whether LiteRT has no kernel for it with 4-bit weights that rounds once.
    rescales_twice = False

    def __init__(self, *args, weights_bits=8, **kwargs):
        super().__init__(*args, **kwargs)
        self.weights_bits = weights_bits

    def rounded(self, kernel, *, per_channel=True):
        """The kernel as the file will have it; see `fake_quantise_weights`."""
        return fake_quantise_weights(
            kernel, self.bias, num_bits=self.weights_bits, per_channel=per_channel
        )

    def with_bias(self, x, kernel, *, step=None, per_channel=True):
        """What the kernel gave, plus the bias if any, as the file will have both.

        Args:
            x: float32 tensor.
            kernel: the float kernel.
            step: float32 scalar, of what the kernel was given; None for the layer's
                input.
            per_channel: see `fake_quantise_weights`.
        """
        largest = weights_range(kernel, self.bias, per_channel=per_channel)
        step = input_step(self) if step is None else step
        if self.bias is not None:
            x = x + fake_quantise_bias(
                self.bias, largest, num_bits=self.weights_bits, input_step=step
            )
        following = next_step(self) if self.rescales_twice else None
        if self.weights_bits == 8 or step is None or following is None:
            return x
        products = product_step(largest, num_bits=self.weights_bits, input_step=step)
        return rescale_twice(x, products, following)

    def get_config(self):
        """What the constructor takes."""
        return {**super().get_config(), "weights_bits": self.weights_bits}


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedConv2D(QuantizedWeights, layers.Conv2D):
    """`Conv2D` with fake-quantised weights and output."""

    rescales_twice = True

    def call(self, inputs, training=None):
        """See `Conv2D`."""
        x = self.convolution_op(inputs, self.rounded(self.kernel))
        return self.finish(self.with_bias(x, self.kernel))


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedConv1D(QuantizedWeights, layers.Conv1D):
    """`Conv1D` with fake-quantised weights and output.

    In a file it is a convolution of images of height 1. The converter makes one of
    `Conv1D` itself, but not of its rounded weights.
    """

    rescales_twice = True

    def call(self, inputs, training=None):
        """See `Conv1D`."""
        padding = self.padding
        if padding == "causal":
            before = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            inputs = ops.pad(inputs, [[0, 0], [before, 0], [0, 0]])
            padding = "valid"
        x = ops.conv(
            ops.expand_dims(inputs, 1),
            self.rounded(ops.expand_dims(self.kernel, 0)),
            strides=(1, *self.strides),
            padding=padding,
            dilation_rate=(1, *self.dilation_rate),
            data_format=self.data_format,
        )
        return self.finish(ops.squeeze(self.with_bias(x, self.kernel), 1))


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedDepthwiseConv2D(QuantizedWeights, layers.DepthwiseConv2D):
    """`DepthwiseConv2D` with fake-quantised weights and output."""

    def call(self, inputs, training=None):
        """See `DepthwiseConv2D`."""
        kernel = channels_last(self.kernel)
        x = ops.depthwise_conv(
            inputs,
            ops.reshape(self.rounded(kernel), self.kernel.shape),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return self.finish(self.with_bias(x, kernel))


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedSeparableConv2D(QuantizedWeights, layers.SeparableConv2D):
    """`SeparableConv2D` with fake-quantised weights and output.

    In a file it is two operations, so that what passes between them is rounded too.
    The weights of the first, few as they are, have 8 bits always.
    """

    rescales_twice = True

    def build(self, input_shape):
        """Makes the weights and ranges."""
        self.between = ActivationRange(name="between")
        super().build(input_shape)

    def call(self, inputs, training=None):
        """See `SeparableConv2D`."""
        depthwise = fake_quantise_weights(
            channels_last(self.depthwise_kernel), num_bits=8
        )
        x = ops.depthwise_conv(
            inputs,
            ops.reshape(depthwise, self.depthwise_kernel.shape),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        x = ops.conv(
            self.between(x),
            self.rounded(self.pointwise_kernel),
            padding="valid",
            data_format=self.data_format,
        )
        return self.finish(
            self.with_bias(x, self.pointwise_kernel, step=self.between.output_step)
        )


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedConv2DTranspose(QuantizedWeights, layers.Conv2DTranspose):
    """`Conv2DTranspose` with fake-quantised weights and output."""

    def call(self, inputs, training=None):
        """See `Conv2DTranspose`."""
        x = ops.conv_transpose(
            inputs,
            self.rounded(self.kernel, per_channel=False),
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return self.finish(self.with_bias(x, self.kernel, per_channel=False))


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedDense(QuantizedWeights, layers.Dense):
    """`Dense` with fake-quantised weights and output."""

    def call(self, inputs, training=None):
        """See `Dense`."""
        x = ops.matmul(inputs, self.rounded(self.kernel, per_channel=False))
        return self.finish(self.with_bias(x, self.kernel, per_channel=False))


def channels_last(kernel):
    """A depthwise kernel `(height, width, channels, multiplier)` as `(…, outputs)`."""
    *size, channels, multiplier = kernel.shape
    return ops.reshape(kernel, (*size, channels * multiplier))

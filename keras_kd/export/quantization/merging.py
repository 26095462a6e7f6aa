"""Layers that join several inputs, each with a range of its own."""

import keras
from keras import layers, ops

from keras_kd.export.quantization.output import QuantizedOutput
from keras_kd.export.quantization.ranges import ActivationRange


class QuantizedPairs(QuantizedOutput):
    """A mixin: in a file, joining n inputs is n - 1 operations, each rounded."""

    operation = None

    def build(self, input_shape):
        """Makes the ranges of all sums but the last."""
        super().build(input_shape)
        self.partial_ranges = [
            ActivationRange(name=f"partial_range_{n}")
            for n in range(len(input_shape) - 2)
        ]

    def call(self, inputs, training=None):
        """See the Keras layer."""
        x, *others = inputs
        for other, after in zip(
            others, [*self.partial_ranges, self.finish], strict=True
        ):
            x = after(type(self).operation(x, other))
        return x


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedAdd(QuantizedPairs, layers.Add):
    """`Add` with fake-quantised output."""

    operation = staticmethod(ops.add)


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedSubtract(QuantizedPairs, layers.Subtract):
    """`Subtract` with fake-quantised output."""

    operation = staticmethod(ops.subtract)


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedMultiply(QuantizedPairs, layers.Multiply):
    """`Multiply` with fake-quantised output."""

    operation = staticmethod(ops.multiply)


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedMaximum(QuantizedPairs, layers.Maximum):
    """`Maximum` with fake-quantised output."""

    operation = staticmethod(ops.maximum)


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedMinimum(QuantizedPairs, layers.Minimum):
    """`Minimum` with fake-quantised output."""

    operation = staticmethod(ops.minimum)


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedConcatenate(QuantizedOutput, layers.Concatenate):
    """`Concatenate`, whose inputs are brought to the one range of its output."""

    def call(self, inputs, training=None):
        """See `Concatenate`."""
        return self.finish(layers.Concatenate.call(self, inputs))

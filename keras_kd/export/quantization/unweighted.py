"""Activations, and poolings that change the range of what they are given."""

import keras
from keras import layers

from keras_kd.export.quantization.output import QuantizedOutput, kind_of


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedActivation(QuantizedOutput, layers.Activation):
    """`Activation` with fake-quantised output."""

    computes = False

    def call(self, inputs, training=None):
        """See `Activation`."""
        return self.finish(inputs)


class _QuantizedFunction(QuantizedOutput):
    """A layer that is one activation function, with options of its own."""

    computes = False

    def call(self, inputs, training=None):
        """See the Keras layer."""
        return self.finish(inputs, super().call)


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedReLU(_QuantizedFunction, layers.ReLU):
    """`ReLU` with fake-quantised output."""

    kind = "relu"


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedLeakyReLU(_QuantizedFunction, layers.LeakyReLU):
    """`LeakyReLU` with fake-quantised output."""

    kind = "one operation"


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedPReLU(_QuantizedFunction, layers.PReLU):
    """`PReLU` with fake-quantised output."""

    kind = "one operation"


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedSoftmax(_QuantizedFunction, layers.Softmax):
    """`Softmax` with fake-quantised output."""

    kind = "softmax"


class _QuantizedMean(QuantizedOutput):
    """A pooling that takes means, which span less than what they are of."""

    def call(self, inputs, training=None):
        """See the Keras layer."""
        return self.finish(super().call(inputs))


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedGlobalAveragePooling1D(_QuantizedMean, layers.GlobalAveragePooling1D):
    """`GlobalAveragePooling1D` with fake-quantised output."""


@keras.saving.register_keras_serializable(package="keras_kd")
class QuantizedGlobalAveragePooling2D(_QuantizedMean, layers.GlobalAveragePooling2D):
    """`GlobalAveragePooling2D` with fake-quantised output."""


def has_integer_activation(layer):
    """Whether a file can compute a layer's activation in integers."""
    if isinstance(layer, layers.ReLU):
        plain = layer.max_value in (None, 6.0) and not layer.threshold
        return plain and not layer.negative_slope
    if isinstance(layer, layers.Softmax):
        return layer.axis in (-1, [-1])
    return not hasattr(layer, "activation") or kind_of(layer.activation) is not None

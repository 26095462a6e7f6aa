"""Normalisation as a layer in front of a model."""

import keras
from keras import ops

from keras_kd.export.quantization import fake_quantise, fake_quantise_weights


class Scaling(keras.layers.Layer):
    """The model's inputs of raw ones, by a convolution that sees one pixel and channel.

    So it is one operation of the file, whose int8 weights lose nothing: each channel
    has a scale of its own and a single weight.

    Args:
        normalization: a `Normalization`.
        shape: tuple of int, of the inputs, with the batch axis.
        trained_range: None, or `(low, high)` of the model's inputs, if the model is
            quantisation-aware.
    """

    def __init__(self, normalization, shape, *, trained_range=None):
        # A name that Keras counts would make the same model another file each time.
        super().__init__(dtype="float32", name="scaling")
        self._shape = shape
        self._raw_range = None
        if trained_range is not None:
            self._raw_range = normalization.invert_range(trained_range)
        scale, self._offset = normalization.weights(shape[-1])
        # A constant would be rounded before the converter sees how.
        self.scale = self.add_weight(shape=(1, 1, 1, shape[-1]), name="scale")
        self.scale.assign(scale.reshape(1, 1, 1, -1))
        self.built = True

    def call(self, raw):
        """Inputs of the model; `(1, ..., channels)`."""
        scale = self.scale
        if self._raw_range is not None:
            raw = fake_quantise(raw, *self._raw_range)
            scale = fake_quantise_weights(scale, self._offset, num_bits=8)
        is_image = len(self._shape) == 4
        images = raw if is_image else ops.reshape(raw, (1, 1, -1, self._shape[-1]))
        kernel = ops.reshape(scale, (1, 1, -1, 1))
        images = ops.depthwise_conv(images, kernel) + self._offset
        return images if is_image else ops.reshape(images, self._shape)

"""The range of an activation, learned as a moving average."""

import keras
from keras import ops

from keras_kd.export.quantization.fake_quant import fake_quantise, step_of


@keras.saving.register_keras_serializable(package="keras_kd")
class ActivationRange(keras.layers.Layer):
    """Fake quantisation of what passes, between bounds that follow the training data.

    The first batch sets the bounds, later ones move them; in inference mode they stay.
    Zero always lies between them, so that padding is exact.

    Args:
        momentum: float in [0, 1), how much of the old bounds each batch keeps.
        **kwargs: for `keras.layers.Layer`.

    Attributes:
        low: float32 scalar weight, at most 0.
        high: float32 scalar weight, at least 0.
        seen: 1.0 as soon as a batch has set the bounds.

    Reference:
        Jacob et al., 2018, https://arxiv.org/abs/1712.05877, section 3.1.
        Departures: the first batch sets the bounds, instead of a delay.

    Example:
        >>> layer = ActivationRange()
        >>> _ = layer(ops.array([0.0, 2.0]), training=True)
        >>> float(layer(ops.array([3.0]))[0])
        2.0
    """

    def __init__(self, momentum=0.99, **kwargs):
        # A range in less than float32 would not be the one of the file.
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.momentum = momentum
        self.supports_masking = True
        self.low = self._scalar("low")
        self.high = self._scalar("high")
        self.seen = self._scalar("seen")
        self.built = True

    @property
    def is_set(self):
        """Whether some batch has set the bounds."""
        return bool(ops.convert_to_numpy(self.seen))

    @property
    def bounds(self):
        """The low and the high bound, floats."""
        return tuple(float(ops.convert_to_numpy(x)) for x in (self.low, self.high))

    @property
    def output_step(self):
        """The distance between two neighbouring values of its output."""
        return step_of(self.low.value, self.high.value)

    def call(self, inputs, training=None):
        """The inputs, rounded; `(batch, ...)`."""
        if training:
            self._follow(inputs)
        return fake_quantise(inputs, self.low.value, self.high.value)

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return input_shape

    def get_config(self):
        """What the constructor takes."""
        return {**super().get_config(), "momentum": self.momentum}

    def _scalar(self, name):
        return self.add_weight(
            name=name,
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
        )

    def _follow(self, inputs):
        # A replica may be left without examples in the last batch.
        present = ops.cast(ops.size(inputs) > 0, "float32")
        keep = 1.0 - (1.0 - self.momentum * self.seen) * present
        low, high = ops.min(inputs, initial=0.0), ops.max(inputs, initial=0.0)
        self.low.assign(keep * self.low + (1.0 - keep) * low)
        self.high.assign(keep * self.high + (1.0 - keep) * high)
        self.seen.assign(ops.maximum(self.seen, present))

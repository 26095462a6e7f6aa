"""What all quantised layers share: their activation, and the range of their output.

The converter merges ReLU and ReLU6 into the operation before them. Any other activation
is an operation of its own, whose input must be rounded too.
"""

import keras
from keras import ops

from keras_kd.export.quantization.fake_quant import fake_quantise, step_of
from keras_kd.export.quantization.ranges import ActivationRange

_KINDS = {
    keras.activations.linear: "linear",
    keras.activations.relu: "relu",
    keras.activations.relu6: "relu",
    keras.activations.sigmoid: "sigmoid",
    keras.activations.tanh: "tanh",
    keras.activations.softmax: "softmax",
    keras.activations.silu: "silu",
    keras.activations.hard_sigmoid: "hard_sigmoid",
    keras.activations.hard_silu: "one operation",
    keras.activations.leaky_relu: "one operation",
    keras.activations.gelu: "one operation",
}
# TFLite gives the outputs of these operations the same scale in every file.
_FIXED_RANGES = {
    "sigmoid": (0.0, 255 / 256),
    "softmax": (0.0, 255 / 256),
    "tanh": (-1.0, 127 / 128),
}
_MERGED = ("linear", "relu")


def kind_of(activation):
    """How a file computes an activation function; None if not in integers.

    Args:
        activation: function, as `layer.activation`.

    Returns:
        "linear"; "relu" (ReLU6 too), merged into what comes before; "sigmoid", "tanh"
        or "softmax", of fixed output range; "silu" or "hard_sigmoid", of several
        operations; "one operation" for others.

    Example:
        >>> kind_of(keras.activations.relu), kind_of(keras.activations.elu)
        ('relu', None)
    """
    try:
        return _KINDS.get(activation)
    except TypeError:  # one that cannot be hashed is none of ours
        return None


def has_fixed_range(kind):
    """Whether the output of such an activation has the same scale in every file."""
    return kind in _FIXED_RANGES


class QuantizedOutput:
    """Makes a quantised layer of a Keras layer; a mixin, to stand before it.

    Args:
        *args: for the Keras layer.
        quantise_output: bool; False where the next layer is merged into this one and
            has the range for both, and for probabilities that end a model.
        **kwargs: for the Keras layer.
    """

    # How the layer computes its activation; layers without one are "linear".
    kind = "linear"
    # Whether the layer computes something before its activation.
    computes = True

    def __init__(self, *args, quantise_output=True, **kwargs):
        super().__init__(*args, **kwargs)
        self.quantise_output = quantise_output
        if hasattr(self, "activation"):
            self.kind = kind_of(self.activation)
        self.before_activation = self.inside = self.output_range = None

    def build(self, input_shape):
        """Makes the ranges, and what the Keras layer makes."""
        if self.computes and self.kind not in _MERGED:
            self.before_activation = ActivationRange(name="before_activation")
        if self.kind == "hard_sigmoid":
            self.inside = ActivationRange(name="inside")
        if self.quantise_output and not has_fixed_range(self.kind):
            self.output_range = ActivationRange(name="output_range")
        super().build(input_shape)

    def finish(self, x, activation=None):
        """What the layer gives for what it computed: its activation, then rounding.

        Args:
            x: float32 tensor.
            activation: function of it; None for the layer's own, if it has one.

        Returns:
            Float32 tensor.
        """
        if self.before_activation is not None:
            x = self.before_activation(x)
        x = self._activate(x, activation or getattr(self, "activation", None))
        if not self.quantise_output:
            return x
        if has_fixed_range(self.kind):
            return fake_quantise(x, *_FIXED_RANGES[self.kind])
        return self.output_range(x)

    @property
    def output_step(self):
        """The distance between two neighbouring outputs; None if not rounded."""
        if self.quantise_output and has_fixed_range(self.kind):
            return step_of(*_FIXED_RANGES[self.kind])
        return self.output_range and self.output_range.output_step

    def get_config(self):
        """What the constructor takes."""
        return {**super().get_config(), "quantise_output": self.quantise_output}

    def _activate(self, x, activation):
        if self.kind == "linear":
            return x
        if self.kind == "silu":
            return x * fake_quantise(ops.sigmoid(x), *_FIXED_RANGES["sigmoid"])
        if self.kind == "hard_sigmoid":
            raised = self.inside(ops.relu6(x + fake_quantise(3.0, 0.0, 3.0)))
            return raised * fake_quantise(1 / 6, 0.0, 1 / 6)
        return activation(x)

"""What a file computes: a model, with its scaling before and its softmax after."""

import re
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_kd._checks import check_choice, invalid
from keras_kd._keras_internals import all_layers
from keras_kd.export._scaling import Scaling
from keras_kd.export.quantization import input_range, is_quantization_aware
from keras_kd.outputs import Head, find_head, forward

WHERE = "keras_kd.export.convert"
OUTPUTS = ("logits", "probabilities")
# Names that Keras gives where the user gave none.
_KERAS_OWN_NAME = re.compile(r"(keras_tensor|input_layer|input)(_?\d+)?")


@dataclass(frozen=True)
class Deployed:
    """A function of one input and one named output, ready to be saved.

    Attributes:
        model: the `keras.Model`, which computes in float32.
        head: its `Head`.
        shape: tuple of int, of the input, with the batch axis (1).
        dtype: str, of the input.
        scaling: the `Scaling` that comes before the model, or None.
        output: None for what the model gives, "logits" or "probabilities".
    """

    model: Any
    head: Head
    shape: tuple[int, ...]
    dtype: str
    scaling: Scaling | None = None
    output: str | None = None

    @property
    def input_name(self):
        """The name that the user gave the model's input, or "input"."""
        names = [one.name for one in getattr(self.model, "inputs", None) or []]
        if not names or _KERAS_OWN_NAME.fullmatch(names[0]):
            return "input"
        return re.sub(r"\W", "_", names[0])

    @property
    def output_kind(self):
        """What the file gives: "logits", "softmax", "sigmoid" or "unknown"."""
        if self.output == "logits":
            return "logits"
        if self.output == "probabilities" and not self.head.gives_probabilities:
            return self._link
        activation = self.head.activation
        return "logits" if activation == "linear" else activation

    @property
    def output_name(self):
        """The name of the file's output: "logits", "probabilities" or "output"."""
        kind = self.output_kind
        names = {"logits": "logits", "unknown": "output"}
        return names.get(kind, "probabilities")

    def __call__(self, inputs):
        """A dict of the one output, `(1, num_classes)`."""
        if self.scaling is not None:
            inputs = self.scaling(inputs)
        if self.output_kind == "logits" and self.head.gives_probabilities:
            _, outputs = forward(self.model, inputs, head=self.head)
            return {self.output_name: outputs.logits}
        outputs = self.model(inputs, training=False)
        if self.output == "probabilities" and not self.head.gives_probabilities:
            activation = ops.softmax if self._link == "softmax" else ops.sigmoid
            outputs = activation(outputs)
        return {self.output_name: outputs}

    @property
    def _link(self):
        """What turns the model's logits into probabilities."""
        return "sigmoid" if self.model.output_shape[-1] == 1 else "softmax"


def deployed(model, examples, *, normalization=None, output=None):
    """Prepares a model for the converter.

    Args:
        model: a built `keras.Model` of one input and one output.
        examples: inputs `(n, ...)`, which tell the shape for a subclassed model; or
            None.
        normalization: a `Normalization` that the file shall do, or None.
        output: see `convert`.

    Returns:
        A `Deployed`.

    Raises:
        ValueError: The model, or what is asked of it, cannot be exported.
    """
    if output is not None:
        check_choice(WHERE, "output", output, OUTPUTS)
    head = find_head(model)
    if output is not None and head.activation == "unknown":
        raise invalid(
            WHERE,
            "a head that ends in logits, softmax or sigmoid to choose the output of",
            f'another in "{model.name}"',
            "Leave out `output`, or end the model in one of the three.",
        )
    shape, dtype = _input_of(model, examples)
    shape = (1, *shape)
    scaling = None
    if normalization is not None:
        normalization.check(WHERE, shape)
        trained = input_range(model) if is_quantization_aware(model) else None
        scaling = Scaling(normalization, shape, trained_range=trained)
        dtype = "float32"
    return Deployed(_in_float32(model), head, shape, dtype, scaling, output)


def _input_of(model, examples):
    """The shape, without batch, and dtype of the model's one input."""
    inputs = getattr(model, "inputs", None)
    if inputs and len(inputs) == 1 and None not in inputs[0].shape[1:]:
        return tuple(inputs[0].shape[1:]), inputs[0].dtype
    if not inputs and examples is not None and model.built:
        return examples.shape[1:], str(examples.dtype)
    raise invalid(
        WHERE,
        "a built model with one input of fixed shape",
        f"inputs {[tuple(i.shape) for i in inputs] if inputs else 'not known'}",
        "Begin the model with keras.Input(shape) without None in it, and pass "
        "distiller.student rather than the distiller.",
    )


def _in_float32(model):
    """The model itself, or a copy that computes in float32 if it was mixed precision.

    The converter has no builtin operations for float16 arithmetic.
    """
    layers = all_layers(model)
    if all(layer.compute_dtype == layer.variable_dtype for layer in layers):
        return model
    try:
        copy = keras.models.clone_model(model, clone_function=_float32_layer)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise invalid(
            WHERE,
            "a float32 model",
            f'"{model.name}" in mixed precision that cannot be copied ({error})',
            "Build it again under the float32 policy, and set_weights.",
        ) from error
    copy.set_weights(model.get_weights())
    return copy


def _float32_layer(layer):
    return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

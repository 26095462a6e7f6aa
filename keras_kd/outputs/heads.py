"""How a model's outputs relate to its logits: linear, softmax or sigmoid."""

from dataclasses import dataclass

import keras

from keras_kd._checks import invalid
from keras_kd._keras_internals import origin

# In others, such as recurrent layers, `activation` is not that of the output.
_WITH_ACTIVATION = (
    keras.layers.Activation,
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)


@dataclass(frozen=True)
class Head:
    """The end of a classifier.

    Attributes:
        activation: "linear" (the outputs are logits), "softmax", "sigmoid", or
            "unknown": not recognised, outputs taken as logits.
        layer: the layer whose activation it is, if it was recognised; the logits are
            then taken from before it. Otherwise None.
        attribute: "activation" if the logits are what `layer.activation` is given,
            "call" if they are what the layer itself is given.
    """

    activation: str
    layer: keras.layers.Layer | None = None
    attribute: str = "activation"

    @property
    def gives_probabilities(self):
        """Whether the model's outputs are probabilities."""
        return self.activation in ("softmax", "sigmoid")


def find_head(model, *, from_logits=None):
    """Recognises the activation that ends a model.

    Args:
        model: a Keras model with one output.
        from_logits: None to recognise it; for a head that is not recognised, whether
            the outputs are logits (True) or probabilities (False).

    Returns:
        A `Head`.

    Raises:
        ValueError: The model has several outputs, or `from_logits` contradicts a head
            that is recognised.

    Example:
        >>> layers = [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
        >>> find_head(keras.Sequential(layers)).activation
        'softmax'
    """
    if len(getattr(model, "outputs", None) or [None]) != 1:
        raise invalid(
            f'model "{model.name}"',
            "one output, the class scores",
            f"{len(model.outputs)} outputs",
            "Wrap it in a model that returns the output to distil.",
        )
    return _decided(model, 0, from_logits)


def find_heads(model, *, from_logits=None):
    """Recognises the activation that ends each output of a model.

    Args:
        model: a Keras model with any number of outputs.
        from_logits: see `find_head`; for all heads that are not recognised.

    Returns:
        A `Head`; for a model that has several outputs, or one in a dict, the same
        structure of them. A subclassed model does not say: it has one, unknown.

    Raises:
        ValueError: See `find_head`.

    Example:
        >>> inputs, dense = keras.Input((4,)), keras.layers.Dense
        >>> outputs = {"a": dense(3)(inputs), "b": dense(1, "sigmoid")(inputs)}
        >>> heads = find_heads(keras.Model(inputs, outputs))
        >>> heads["a"].activation, heads["b"].activation
        ('linear', 'sigmoid')
    """
    if isinstance(model, keras.Sequential) or not getattr(model, "outputs", None):
        return find_head(model, from_logits=from_logits)
    if isinstance(model.output, (list, tuple)) and len(model.outputs) == 1:
        # Keras takes a single output out of its list.
        return find_head(model, from_logits=from_logits)
    heads = [_decided(model, n, from_logits) for n in range(len(model.outputs))]
    layers = [head.layer for head in heads if head.layer is not None]
    # Of a layer that makes several outputs it cannot be told which run made which.
    heads = [
        Head(head.activation) if layers.count(head.layer) > 1 else head
        for head in heads
    ]
    return keras.tree.pack_sequence_as(model.output, heads)


def _decided(model, number, from_logits):
    """The head of one output, recognised or as the user said."""
    recognised = _recognise(_last_layer(model, number))
    if from_logits is None:
        return recognised
    if recognised.activation != "unknown":
        if recognised.gives_probabilities == from_logits:
            raise invalid(
                f'model "{model.name}"',
                f"from_logits={not from_logits}, as its head ({recognised.activation}) "
                "tells",
                f"from_logits={from_logits}",
                "Leave out from_logits; it is for heads that are not recognised.",
            )
        return recognised
    if from_logits:
        return Head("linear")
    outputs = getattr(model, "outputs", None)
    one_unit = bool(outputs) and outputs[number].shape[-1] == 1
    return Head("sigmoid" if one_unit else "softmax")


def _last_layer(model, number):
    """The layer that makes an output, inside nested models; None if unknown."""
    if isinstance(model, keras.Sequential):
        return _last_layer(model.layers[-1], number) if model.layers else None
    outputs = getattr(model, "outputs", None)
    if not outputs:
        return None if isinstance(model, keras.Model) else model
    last, _, index = origin(outputs[number])
    return last if last is model else _last_layer(last, index)


def _recognise(layer):
    if isinstance(layer, keras.layers.Softmax) and layer.axis in (-1, [-1]):
        return Head("softmax", layer, "call")
    if not isinstance(layer, _WITH_ACTIVATION):
        return Head("unknown")
    names = {
        keras.activations.softmax: "softmax",
        keras.activations.sigmoid: "sigmoid",
        keras.activations.linear: "linear",
    }
    try:
        name = names.get(layer.activation, "unknown")
    except TypeError:  # an activation that cannot be hashed is none of the three
        name = "unknown"
    return Head(name, layer if name in ("softmax", "sigmoid") else None)

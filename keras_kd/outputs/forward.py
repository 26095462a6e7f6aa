"""One forward pass: predictions, logits and features together."""

import functools
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd._keras_internals import mask_of, set_mask
from keras_kd.outputs.layers import find_layer
from keras_kd.outputs.recording import record


class ModelOutputs(NamedTuple):
    """What a loss sees of one model.

    Attributes:
        logits: float32 `(batch, num_classes)`, before softmax or sigmoid; `(batch,
            ..., num_classes)` for a model that decides at each pixel or token.
        features: dict of layer path to that layer's output, float32.
        positions: bool `(batch, ...)`, those that count, where each example has several
            decisions, such as the tokens of a text; () for all.
    """

    logits: Any
    features: dict[str, Any] = {}  # noqa: RUF012 (never changed: a NamedTuple default)
    positions: Any = ()

    @property
    def mask(self):
        """`positions`; None for all."""
        # In the tuple None would be one more value for whoever maps or watches it.
        # A file makes a list of it.
        is_all = isinstance(self.positions, (tuple, list)) and not self.positions
        return None if is_all else self.positions

    @property
    def names(self):
        """Keys or places by which several outputs are told apart; empty for one."""
        return _names(self.logits)

    def of(self, output):
        """One of several outputs, with all features.

        Args:
            output: str or int, its name or place; None for all, or the only one.

        Returns:
            `ModelOutputs`.

        Raises:
            ValueError: There is no such output.
        """
        if output is None:
            return self
        names = self.names
        if output not in names:
            has = ", ".join(map(repr, names)) or "a single one, without a name"
            raise invalid(
                "distillation_losses",
                f"an output that teacher and student have; one of them has {has}",
                repr(output),
                "Name the outputs as the models do, by key or by place.",
            )
        mask = None if self.mask is None else self.mask[output]
        positions = () if mask is None else mask
        return ModelOutputs(self.logits[output], self.features, positions)

    def at_temperature(self, temperature, activation="softmax"):
        """Itself: the logits of one model hold at every temperature.

        Args:
            temperature: see `EnsembleOutputs.at_temperature`.
            activation: see there.

        Returns:
            `ModelOutputs`.
        """
        return self


def forward(model, inputs, *, head, layers=(), training=False):
    """Runs a model once and takes its logits and features from that pass.

    Args:
        model: a Keras model.
        inputs: what the model takes: tensor `(batch, ...)`, or a structure of them.
        head: the model's `Head`, from `find_head`; of a model with several outputs a
            structure of them, from `find_heads`, in which logits and mask are, too.
        layers: paths of the layers whose outputs are wanted.
        training: bool, passed to the model.

    Returns:
        `(predictions, outputs)`: the model's own output, unchanged, and its
        `ModelOutputs` in float32.

    Raises:
        ValueError: A path does not exist, or its layer does not run exactly once or
            gives more than one tensor.

    Example:
        >>> import numpy as np
        >>> from keras_kd.outputs import find_head
        >>> dense = keras.layers.Dense(3, name="a")
        >>> model = keras.Sequential([keras.Input((4,)), dense])
        >>> _, outputs = forward(
        ...     model, np.ones((2, 4)), head=find_head(model), layers=["a"]
        ... )
        >>> tuple(outputs.features["a"].shape)
        (2, 3)
    """
    if not model.built:
        # Keras builds such a model by running it, which is not to be recorded.
        model(inputs, training=False)
    tapped = {path: find_layer(model, path) for path in layers}
    targets = [(layer, "call") for layer in tapped.values()]
    heads = keras.tree.flatten(head)
    targets += [(one.layer, one.attribute) for one in heads if one.layer is not None]
    with record(targets) as calls:
        predictions = model(inputs, training=training)
    features = {
        path: _feature(model, path, calls[(id(layer), "call")])
        for path, layer in tapped.items()
    }
    own = keras.tree.flatten(predictions)
    # A subclassed model does not say how many outputs it has before it has run.
    heads = heads * len(own) if len(heads) == 1 else heads
    outputs = [_logits(one, head, calls) for one, head in zip(own, heads, strict=True)]
    masks = [mask for _, mask in outputs]
    packed = functools.partial(keras.tree.pack_sequence_as, predictions)
    return predictions, ModelOutputs(
        packed([logits for logits, _ in outputs]),
        features,
        packed(masks) if any(mask is not None for mask in masks) else (),
    )


def logits_of(predictions, head):
    """The logits behind what a model gives, where its head cannot be opened.

    Args:
        predictions: float `(batch, num_classes)`, the model's outputs.
        head: its `Head`.

    Returns:
        Float32 of the same shape: outputs that are no probabilities as they are; of
        probabilities the best that is left of their logits.

    Example:
        >>> from keras_kd.outputs import Head
        >>> ops.convert_to_numpy(logits_of([[0.5]], Head("sigmoid"))).tolist()
        [[0.0]]
    """
    predictions = _float32(predictions)
    if not head.gives_probabilities:
        return predictions
    # Smaller ones than float32 can hold count as its smallest number.
    smallest = 1.2e-38
    logits = ops.log(ops.maximum(predictions, smallest))
    if head.activation == "sigmoid":
        logits = logits - ops.log(ops.maximum(1.0 - predictions, smallest))
    return logits


def _feature(model, path, calls):
    results = keras.tree.flatten([call.result for call in calls])
    if len(calls) == 1 and len(results) == 1:
        return _float32(results[0])
    raise invalid(
        f'model "{model.name}"',
        f'layer "{path}" to run once and give one tensor',
        f"{len(calls)} runs and {len(results)} tensors",
        "Name a layer that runs once in every forward pass.",
    )


def _logits(predictions, head, calls):
    """The logits behind one output, and its mask or None."""
    if head.layer is not None:
        logits = _float32(calls[(id(head.layer), head.attribute)][-1].argument)
    else:
        logits = logits_of(predictions, head)
    mask = mask_of(predictions)
    if mask is not None:
        # Where Keras's own losses look for it.
        set_mask(logits, mask)
    return logits, mask


def _names(structure):
    """How the outputs, or their shapes, can be chosen; empty for a single one."""
    if isinstance(structure, dict):
        return list(structure)
    is_list = isinstance(structure, (list, tuple))
    if not is_list or all(isinstance(size, (int, type(None))) for size in structure):
        return []
    return list(range(len(structure)))


def _float32(tensor):
    return ops.cast(tensor, "float32")

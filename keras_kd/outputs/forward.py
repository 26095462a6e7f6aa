"""One forward pass: predictions, logits and features together."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd.outputs.layers import find_layer
from keras_kd.outputs.recording import record


class ModelOutputs(NamedTuple):
    """What a loss sees of one model.

    Attributes:
        logits: float32 `(batch, num_classes)`, before softmax or sigmoid.
        features: dict of layer path to that layer's output, float32.
    """

    logits: Any
    features: dict[str, Any] = {}  # noqa: RUF012 (never changed: a NamedTuple default)

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
        model: a Keras model with one output.
        inputs: what the model takes: tensor `(batch, ...)`, or a structure of them.
        head: the model's `Head`, from `find_head`.
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
    if head.layer is not None:
        targets.append((head.layer, head.attribute))
    with record(targets) as calls:
        predictions = model(inputs, training=training)
    features = {
        path: _feature(model, path, calls[(id(layer), "call")])
        for path, layer in tapped.items()
    }
    logits = _logits(predictions, head, calls)
    return predictions, ModelOutputs(_float32(logits), features)


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
    if head.layer is not None:
        return calls[(id(head.layer), head.attribute)][-1].argument
    return logits_of(predictions, head)


def _float32(tensor):
    return ops.cast(tensor, "float32")

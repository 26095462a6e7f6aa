"""A model's logits and named intermediate features, in one forward pass."""

from keras_kd.outputs.checks import (
    can_be_same_shape,
    check_inputs,
    check_logits,
    check_trainable,
    check_weights,
    share_what_trains,
    takes,
)
from keras_kd.outputs.ensemble import EnsembleOutputs, mean_of_probabilities
from keras_kd.outputs.forward import ModelOutputs, forward, logits_of
from keras_kd.outputs.heads import Head, find_head, find_heads
from keras_kd.outputs.layers import find_layer, layer_paths
from keras_kd.outputs.shapes import layer_shapes, output_shapes
from keras_kd.outputs.tensors import as_tensors, input_structure, inputs_of

__all__ = [
    "EnsembleOutputs",
    "Head",
    "ModelOutputs",
    "as_tensors",
    "can_be_same_shape",
    "check_inputs",
    "check_logits",
    "check_trainable",
    "check_weights",
    "find_head",
    "find_heads",
    "find_layer",
    "forward",
    "input_structure",
    "inputs_of",
    "layer_paths",
    "layer_shapes",
    "logits_of",
    "mean_of_probabilities",
    "output_shapes",
    "share_what_trains",
    "takes",
]

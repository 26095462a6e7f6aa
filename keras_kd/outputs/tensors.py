"""A batch as models and the user's functions are given it."""

import keras
import numpy as np
from keras import ops


def as_tensors(inputs):
    """A batch as tensors that share no memory with the caller's arrays.

    Functions for NumPy arrays may write into what they are given, as the
    `preprocess_input` of `keras.applications` does; of a tensor they make a new one.

    Args:
        inputs: array or tensor `(batch, ...)`, symbolic ones too, or a structure.

    Returns:
        The same structure of tensors, from arrays those that `fit` would make; Python's
        own numbers as they are.

    Example:
        >>> images = np.ones((2, 3))
        >>> ops.is_tensor(as_tensors({"image": images})["image"])
        True
    """
    return keras.tree.map_structure(_as_tensor, inputs)


def inputs_of(model, inputs):
    """What a model takes of a batch that may hold more.

    Args:
        model: a Keras model; of one that does not say what it takes, all counts.
        inputs: a batch; a dict is looked through for the names of the model's inputs.

    Returns:
        A structure as the model's input; `inputs` themselves if they are no dict, or
        lack a name.

    Example:
        >>> ids, text = np.ones((2, 3)), np.ones((2, 9))
        >>> dense = keras.layers.Dense(2)
        >>> model = keras.Sequential([keras.Input((3,), name="ids"), dense])
        >>> inputs_of(model, {"ids": ids, "text": text}) is ids
        True
    """
    structure = input_structure(model)
    if not isinstance(inputs, dict) or structure is None:
        return inputs
    if isinstance(structure, dict):
        found = {name: inputs[name] for name in structure if name in inputs}
        return found if len(found) == len(structure) else inputs
    names = [tensor.name for tensor in keras.tree.flatten(structure)]
    if not set(names) <= set(inputs):
        return inputs
    return keras.tree.pack_sequence_as(structure, [inputs[name] for name in names])


def input_structure(model):
    """The symbolic inputs of a model, as it takes them; None if it does not say.

    Args:
        model: a Keras model.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> input_structure(model).shape
        (None, 3)
    """
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return None
    # A Sequential model that was not called has no `input`.
    return inputs[0] if isinstance(model, keras.Sequential) else model.input


def _as_tensor(leaf):
    is_array = hasattr(leaf, "__array__") and not isinstance(leaf, keras.KerasTensor)
    if not is_array or ops.is_tensor(leaf) or isinstance(leaf, keras.Variable):
        return leaf
    # A copy, as TensorFlow may take over the memory; of the type that `fit` makes it.
    tensor = ops.convert_to_tensor(np.array(leaf))
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(tensor.dtype)):
        return ops.cast(tensor, keras.config.floatx())
    return tensor

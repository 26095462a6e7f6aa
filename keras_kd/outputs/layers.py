"""Layers of a model by path, such as `"backbone/block_6"`."""

import keras

from keras_kd._checks import invalid, near_matches
from keras_kd._keras_internals import inner_layers


def layer_paths(model):
    """Every layer of a model by its path, outermost first.

    Args:
        model: a built Keras model of any kind (Functional, Sequential, subclassed).

    Returns:
        A dict of path to layer. Layers inside a nested model or layer have the path
        `"outer/inner"`.

    Example:
        >>> dense = keras.layers.Dense(2, name="a")
        >>> model = keras.Sequential([keras.Input((4,)), dense])
        >>> list(layer_paths(model))
        ['a']
    """
    paths = {}
    _collect(model, "", paths, {id(model)})
    return paths


def find_layer(model, path):
    """The layer of `model` at `path`.

    Args:
        model: a Keras model.
        path: str, a layer's name, or names joined by "/" for nested models.

    Raises:
        ValueError: There is no such layer; the message lists the near matches.

    Example:
        >>> dense = keras.layers.Dense(2, name="a")
        >>> model = keras.Sequential([keras.Input((4,)), dense])
        >>> find_layer(model, "a").units
        2
    """
    paths = layer_paths(model)
    if path in paths:
        return paths[path]
    names = ", ".join(list(paths)[:20]) + (", …" if len(paths) > 20 else "")
    raise invalid(
        f'model "{model.name}"',
        "the path of one of its layers",
        f'"{path}"',
        near_matches(path, list(paths)) or f"Its layers are: {names}.",
    )


def _collect(parent, prefix, paths, seen):
    for layer in inner_layers(parent):
        if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
            continue
        path = f"{prefix}{layer.name}"
        paths.setdefault(path, layer)
        _collect(layer, f"{path}/", paths, seen | {id(layer)})

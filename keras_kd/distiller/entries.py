"""Entries for several outputs, by key, name or place, as Keras takes them."""

import keras


def other_keys(model):
    """Under which keys, beside its own, Keras takes an entry for an output.

    Args:
        model: a Keras model.

    Returns:
        Dict of the outputs' own keys (those of a dict of outputs, or the places in a
        list) to a tuple of others: its name, its place. Empty for a model with one
        output, or that does not tell.

    Example:
        >>> inputs = keras.Input((4,))
        >>> outputs = [keras.layers.Dense(2, name=name)(inputs) for name in "ab"]
        >>> other_keys(keras.Model(inputs, outputs))
        {0: ('a', 0), 1: ('b', 1)}
    """
    names = getattr(model, "output_names", None) or []
    if len(names) < 2:
        return {}
    places = keras.tree.pack_sequence_as(model.output, list(range(len(names))))
    if not isinstance(places, dict):
        places = dict(enumerate(places))
    return {key: (names[place], place) for key, place in places.items()}


def part_of(values, output, others=None):
    """What belongs to one output, of labels, weights or masks of several.

    Args:
        values: a structure with an entry for each output, or what is there for all.
        output: str or int, see `ModelOutputs.of`; None for no certain one.
        others: what `other_keys` gives, or None.

    Returns:
        The entry; None if there is none for it.

    Example:
        >>> part_of({"a": 3, "b": 4}, 1, {0: ("a", 0), 1: ("b", 1)})
        4
    """
    if not isinstance(values, (dict, list, tuple)):
        return values
    if output is None:
        return None
    keys = values if isinstance(values, dict) else range(len(values))
    for key in (output, *(others or {}).get(output, ())):
        if key in keys:
            return values[key]
    return None


def own_key(key, others):
    """The output's own key, of any under which Keras takes an entry.

    Args:
        key: str or int.
        others: what `other_keys` gives.

    Returns:
        The key; `key` itself if no output goes by it.
    """
    if key in others:
        return key
    return next((own for own, known in others.items() if key in known), key)

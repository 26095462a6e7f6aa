"""Inputs to convert a model with: those of the user, or random ones."""

import numpy as np

from keras_kd.export._calibration import calibration_examples

_EXAMPLES = 8


def examples_for(model, data):
    """Inputs that show the ranges of the activations.

    Args:
        model: a built `keras.Model` of one input.
        data: None, or the `calibration_data` of `convert`.

    Returns:
        Array `(n, ...)`; random for None.

    Raises:
        ValueError: `data` is something else.
    """
    if data is not None:
        return calibration_examples(data)
    return random_examples(model.inputs[0].shape[1:], model.inputs[0].dtype)


def random_examples(shape, dtype):
    """Eight random inputs that a model can take: positions of a table must be small.

    Args:
        shape: tuple of int, of one.
        dtype: str.

    Returns:
        Array `(8, *shape)`.
    """
    generator = np.random.default_rng(0)
    if dtype.startswith("float"):
        return generator.normal(size=(_EXAMPLES, *shape)).astype(dtype)
    return generator.integers(0, 2, (_EXAMPLES, *shape)).astype(dtype)

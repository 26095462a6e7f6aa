"""What must hold for a model's weights and outputs before training."""

import keras
import numpy as np

from keras_kd._checks import invalid


def check_weights(where, model, role):
    """Raises if a weight of `model` is NaN or infinite, naming it.

    Args:
        where: str, see `invalid`.
        model: a Keras model.
        role: str, what to call it: "teacher", "student".

    Raises:
        ValueError: There is such a weight.

    Example:
        >>> check_weights("here", keras.Sequential([keras.layers.Dense(2)]), "student")
    """
    for weight in model.weights:
        value = keras.ops.convert_to_numpy(weight)
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            raise invalid(
                where,
                f"finite weights in the {role}",
                f'NaN or inf in "{weight.path}"',
                f"Load a {role} that was trained and saved without divergence.",
            )


def check_logits(where, logits, head, role):
    """Raises if logits on real data are not finite, or look like probabilities.

    Args:
        where: str, see `invalid`.
        logits: `(batch, num_classes)`.
        head: the model's `Head`; only an unrecognised one can be wrong about logits.
        role: "teacher" or "student".

    Raises:
        ValueError: They are not usable as logits.

    Example:
        >>> from keras_kd.outputs import Head
        >>> check_logits("here", [[2.0, -1.0]], Head("unknown"), "teacher")
    """
    values = keras.ops.convert_to_numpy(logits)
    if not np.isfinite(values).all():
        raise invalid(
            where,
            f"finite outputs of the {role} on the first batch",
            "NaN or inf",
            f"Check the {role}'s preprocessing and the range of the inputs.",
        )
    if head.activation != "unknown" or values.shape[-1] == 1:
        return
    if values.min() >= 0 and np.allclose(values.sum(axis=-1), 1.0, atol=1e-3):
        raise invalid(
            where,
            f"logits from the {role}, whose head is not one that is recognised",
            "rows that sum to 1, like probabilities",
            "Pass from_logits=False if they are, from_logits=True if they are not.",
        )

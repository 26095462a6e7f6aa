"""What must hold for a model's weights and outputs before training."""

import keras
import numpy as np

from keras_kd._checks import invalid
from keras_kd.outputs.tensors import inputs_of


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
        logits: `(batch, ..., num_classes)`, or a structure of them.
        head: the model's `Head`, or a structure of them; only an unrecognised one can
            be wrong about logits.
        role: "teacher" or "student".

    Raises:
        ValueError: They are not usable as logits.

    Example:
        >>> from keras_kd.outputs import Head
        >>> check_logits("here", [[2.0, -1.0]], Head("unknown"), "teacher")
    """
    heads, outputs = keras.tree.flatten(head), keras.tree.flatten(logits)
    heads = heads * len(outputs) if len(heads) == 1 else heads
    for one, its_head in zip(outputs, heads, strict=True):
        _check_output(where, keras.ops.convert_to_numpy(one), its_head, role)


def _check_output(where, values, head, role):
    if not np.isfinite(values).all():
        raise invalid(
            where,
            f"finite outputs of the {role} on the first batch",
            "NaN or inf",
            f"Check the {role}'s preprocessing and the range of the inputs.",
        )
    said = "from_logits=False for this model alone, if they are probabilities"
    if head.activation == "unknown" and values.min() >= 0 and values.max() <= 1:
        raise invalid(
            where,
            f"logits from the {role}, whose head is not one that is recognised",
            "values in [0, 1], like probabilities",
            f"Say which: FrozenTeacher(teacher, {said}), or from_logits=True."
            if role == "teacher"
            else "Pass from_logits=False if they are probabilities, else True.",
        )
    opened = head.layer is not None
    if head.activation == "softmax" and not opened:
        sums = np.exp(values.astype("float64")).sum(axis=-1)
        if not np.allclose(sums, 1.0, atol=1e-2):
            raise invalid(
                where,
                f"probabilities from the {role}, because of from_logits=False",
                f"rows that sum to {sums.min():.3g} to {sums.max():.3g}",
                "Leave out from_logits for this model.",
            )


def check_inputs(where, model, inputs):
    """Raises if data has another shape than a model takes.

    Args:
        where: str, see `invalid`.
        model: a Keras model; one that does not say what it takes passes.
        inputs: a batch, tensor or structure of them.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> check_inputs("here", model, np.ones((3, 4)))
    """
    wanted = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    own = keras.tree.flatten(inputs_of(model, inputs))
    given = [tuple(np.shape(leaf)) for leaf in own]
    if len(wanted) != len(given):
        return
    for want, have in zip(wanted, given, strict=True):
        sizes = zip(want[1:], have[1:], strict=False)
        if len(want) != len(have) or any(w not in (None, h) for w, h in sizes):
            raise invalid(
                where,
                f'batches of shape {want} for model "{model.name}"',
                have,
                "Resize or batch the data, or choose the models for it.",
            )

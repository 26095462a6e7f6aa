"""What must hold for a model's weights and outputs before training."""

import keras
import numpy as np

from keras_kd._checks import invalid
from keras_kd._keras_internals import all_layers, inner_layers
from keras_kd.outputs.forward import SMALLEST, forward
from keras_kd.outputs.tensors import inputs_of

# Of an axis that a model leaves open, to try it.
_OPEN_SIZE = 32
# Their weights are set by `adapt`, never by training.
_ADAPTED = (
    keras.layers.Discretization,
    keras.layers.IntegerLookup,
    keras.layers.Normalization,
    keras.layers.StringLookup,
    keras.layers.TextVectorization,
)
# Sets of random weights by which logits in [0, 1] are told from probabilities.
_DRAWS = 4


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


def check_trainable(where, model):
    """Raises if a student that is built has no weight to train.

    Args:
        where: str, see `invalid`.
        model: a Keras model; of one that has not run yet it may not be known.

    Raises:
        ValueError: All weights are frozen, or there are none.

    Example:
        >>> layers = [keras.Input((4,)), keras.layers.Dense(2)]
        >>> check_trainable("here", keras.Sequential(layers))
    """
    has_run = model.built or model.weights
    if model.trainable_weights or (model.trainable and not has_run):
        return
    is_frozen = model.weights or not model.trainable
    raise invalid(
        where,
        "a student with weights to train",
        f'model "{model.name}", '
        + ("whose weights are all frozen" if is_frozen else "which has none"),
        "Set student.trainable = True, and the same for its layers; copies of a frozen "
        "model are frozen too."
        if is_frozen
        else "Give it layers that learn.",
    )


def share_what_trains(one, other):
    """Whether training the second model would change the first.

    Layers in common are no harm where nothing changes them: what `adapt` has set, such
    as `Normalization` and `TextVectorization`, and layers that are frozen.

    Args:
        one: a Keras model.
        other: another one, or the same.

    Example:
        >>> dense = keras.layers.Dense(2)
        >>> one, other = (
        ...     keras.Sequential([keras.Input((4,)), dense]) for _ in range(2)
        ... )
        >>> share_what_trains(one, other)
        True
        >>> dense.trainable = False
        >>> share_what_trains(one, other)
        False
    """
    common = {id(w) for w in one.weights} & {id(w) for w in other.weights}
    return one is other or any(
        layer.trainable and not isinstance(layer, _ADAPTED)
        for layer in (all_layers(other) if common else ())
        if not inner_layers(layer) and common & {id(w) for w in layer.weights}
    )


def check_logits(where, logits, head, role, *, model=None, inputs=None):
    """Raises if logits on real data are not finite, or look like probabilities.

    Args:
        where: str, see `invalid`.
        logits: `(batch, ..., num_classes)`, or a structure of them.
        head: the model's `Head`, or a structure of them; only an unrecognised one can
            be wrong about logits.
        role: "teacher" or "student".
        model: the Keras model that gave them; with it, logits that lie in [0, 1] by
            chance are told from probabilities. None to go by the values alone.
        inputs: what it was given.

    Raises:
        ValueError: They are not usable as logits.

    Example:
        >>> from keras_kd.outputs import Head
        >>> check_logits("here", [[2.0, -1.0]], Head("unknown"), "teacher")
    """
    heads, outputs = keras.tree.flatten(head), keras.tree.flatten(logits)
    outputs = [keras.ops.convert_to_numpy(one) for one in outputs]
    heads = heads * len(outputs) if len(heads) == 1 else heads
    for values in outputs:
        if not np.isfinite(values).all():
            raise invalid(
                where,
                f"finite outputs of the {role} on the first batch",
                "NaN or inf",
                f"The {role} rules classes out by -inf: a large number does as well, "
                "such as keras.ops.where(mask, logits, -1e9)."
                if np.isneginf(values).any() and not _is_bad(values)
                else f"Check the {role}'s preprocessing and the range of the inputs.",
            )
    suspects = [
        one.activation == "unknown" and _like_probabilities(values)
        for one, values in zip(heads, outputs, strict=True)
    ]
    if any(suspects) and model is not None:
        bounded = _stay_in_unit_range(model, inputs, head)
        suspects = [
            each and stays for each, stays in zip(suspects, bounded, strict=True)
        ]
    if any(suspects):
        raise _not_told(where, role)
    for values, its_head in zip(outputs, heads, strict=True):
        if its_head.gives_probabilities and its_head.layer is None:
            _check_were_probabilities(where, values, its_head, role)


def _is_bad(values):
    """Whether values hold more than numbers and -inf."""
    return np.isnan(values).any() or np.isposinf(values).any()


def _like_probabilities(values):
    """Whether values could be probabilities; zeros are a fresh head's logits."""
    return values.min() >= 0 and values.max() <= 1 and values.any()


def _stay_in_unit_range(model, inputs, head):
    """For each output whether it is in [0, 1] whatever the weights.

    Logits of a fresh model may be by chance; those of other weights are not. The
    model's own weights are not touched.
    """
    generator, stays = np.random.default_rng(0), None
    for _ in range(_DRAWS):
        changed = [(w, _other(w, generator)) for w in model.weights if _is_free(w)]
        with keras.StatelessScope(changed):
            outputs = keras.tree.flatten(forward(model, inputs, head=head)[1].logits)
        outputs = [keras.ops.convert_to_numpy(one) for one in outputs]
        # What is not a number tells nothing.
        inside = [not ((v < 0) | (v > 1)).any() for v in outputs]
        stays = (
            inside if stays is None else list(map(all, zip(stays, inside, strict=True)))
        )
        if not any(stays):
            break
    return stays


def _is_free(weight):
    """Whether a weight may be any number."""
    is_float = np.issubdtype(keras.backend.standardize_dtype(weight.dtype), np.floating)
    return is_float and "variance" not in weight.name


def _other(weight, generator):
    value = keras.ops.convert_to_numpy(weight)
    noise = 3.0 * generator.standard_normal(value.shape)
    return keras.ops.convert_to_tensor((value + noise).astype(value.dtype))


def _not_told(where, role):
    said = "from_logits=False for this model alone, if they are probabilities"
    return invalid(
        where,
        f"logits from the {role}, whose head is not one that is recognised",
        "values in [0, 1], like probabilities",
        f"Say which: FrozenTeacher(teacher, {said}), or from_logits=True."
        if role == "teacher"
        else "Pass from_logits=False if they are probabilities, else True.",
    )


def _check_were_probabilities(where, values, head, role):
    """Raises if logits were made of outputs that are no probabilities."""
    expected = f"probabilities from the {role}, because of from_logits=False"
    if head.activation == "sigmoid" or values.shape[-1] == 1:
        # Where `logits_of` puts what is below 0 or above 1.
        if np.abs(values).max() > -np.log(SMALLEST) + 1e-2:
            raise invalid(
                where,
                expected,
                "values outside [0, 1]",
                "Leave out from_logits for this model.",
            )
        return
    sums = np.exp(values.astype("float64")).sum(axis=-1)
    if not np.allclose(sums, 1.0, atol=1e-2):
        raise invalid(
            where,
            expected,
            f"rows that sum to {sums.min():.3g} to {sums.max():.3g}",
            "Leave out from_logits for this model, if it gives logits. If each output "
            'is a label by itself, end it in keras.layers.Activation("sigmoid").',
        )


def check_inputs(where, model, inputs):
    """Raises if data has another shape than a model takes.

    Args:
        where: str, see `invalid`.
        model: a Keras model; one that does not say what it takes passes.
        inputs: a batch, tensor or structure of them.

    Raises:
        ValueError: Keras does not take them for what the model wants either, such as a
            batch `(n, 28, 28)` for `(n, 28, 28, 1)`.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> check_inputs("here", model, np.ones((3, 4)))
    """
    wanted = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    own = inputs_of(model, inputs)
    given = [tuple(leaf.shape) for leaf in map(_with_shape, keras.tree.flatten(own))]
    if len(wanted) != len(given):
        return
    for want, have in zip(wanted, given, strict=True):
        if not can_be_same_shape(want[1:], have[1:]) and not takes(model, own):
            raise invalid(
                where,
                f'batches of shape {want} for model "{model.name}"',
                have,
                "Resize or batch the data, or choose the models for it.",
            )


def can_be_same_shape(one, other):
    """Whether two shapes can be the same.

    Args:
        one: tuple of int, None for a size that is open.
        other: the same.

    Example:
        >>> can_be_same_shape((None, 3), (8, 3)), can_be_same_shape((8, 1), (8,))
        (True, False)
    """
    sizes = zip(one, other, strict=False)
    return len(one) == len(other) and all(
        a == b or a is None or b is None for a, b in sizes
    )


def takes(model, inputs):
    """Whether a Keras model takes inputs, which Keras may reshape for it.

    It is run on an example of zeros: Keras checks symbolic tensors less than real ones.

    Args:
        model: a Keras model.
        inputs: a batch, tensor or structure of them, or symbolic tensors.

    Example:
        >>> layers = [keras.layers.Flatten(), keras.layers.Dense(2)]
        >>> model = keras.Sequential([keras.Input((4, 1)), *layers])
        >>> takes(model, np.ones((3, 4))), takes(model, np.ones((3, 5)))
        (True, False)
    """

    def example(leaf):
        leaf = _with_shape(leaf)
        sizes = (_OPEN_SIZE if size is None else size for size in leaf.shape[1:])
        dtype = keras.backend.standardize_dtype(leaf.dtype)
        return keras.ops.zeros((1, *sizes), dtype)

    try:
        model(keras.tree.map_structure(example, inputs), training=False)
    except Exception:  # whatever a layer says of it
        return False
    return True


def _with_shape(leaf):
    return leaf if hasattr(leaf, "shape") else np.asarray(leaf)

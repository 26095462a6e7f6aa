"""Whether a quantisation-aware model is ready to become a file, and what it leaves."""

from keras_kd._checks import invalid
from keras_kd._keras_internals import all_layers
from keras_kd.export.quantization import table
from keras_kd.export.quantization.graph import as_functional, is_functional
from keras_kd.export.quantization.passing import keeps_range
from keras_kd.export.quantization.ranges import ActivationRange
from keras_kd.export.quantization.weighted import QuantizedWeights

PRECISION_OF = {8: "int8", 4: "int4_weights"}


def is_quantization_aware(model):
    """Whether a model came from `quantization_aware`.

    Args:
        model: a Keras model.

    Example:
        >>> import keras
        >>> is_quantization_aware(keras.Sequential([keras.layers.Dense(2)]))
        False
    """
    return any(isinstance(layer, ActivationRange) for layer in all_layers(model))


def float_layers(model):
    """The layers that a quantisation-aware model computes in float, in its file too.

    Args:
        model: from `quantization_aware`, or loaded from a file.

    Returns:
        A tuple of paths such as "backbone/attention".

    Example:
        >>> import keras
        >>> from keras_kd.export import quantization_aware
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> float_layers(quantization_aware(student))
        ()
    """
    return tuple(_float_layers(model, ""))


def trained_precision(model):
    """The precision that a quantisation-aware model learns for.

    Args:
        model: a Keras model.

    Returns:
        "int8" or "int4_weights"; None for a model that is not quantisation-aware.

    Example:
        >>> import keras
        >>> from keras_kd.export import quantization_aware
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> trained_precision(quantization_aware(student, weights_bits=4))
        'int4_weights'
    """
    if not is_quantization_aware(model):
        return None
    layers = all_layers(model)
    bits = [one.weights_bits for one in layers if isinstance(one, QuantizedWeights)]
    return PRECISION_OF[min(bits, default=8)]


def check_ready(where, model, precision):
    """Raises unless a quantisation-aware model can be converted as it is.

    Args:
        where: str, see `invalid`.
        model: from `quantization_aware`.
        precision: str, see `convert`.

    Raises:
        ValueError: Its weights are of other bits, or a range was never set.
    """
    trained = trained_precision(model)
    if precision != trained:
        raise invalid(
            where,
            f'precision="{trained}" for a model that was trained for it',
            f'"{precision}"',
            "Convert the float student for other precisions.",
        )
    unset = [
        one.path
        for one in all_layers(model)
        if isinstance(one, ActivationRange) and not one.is_set
    ]
    if unset:
        raise invalid(
            where,
            "a quantisation-aware model with trained ranges",
            f"{len(unset)} ranges that no batch has set, such as that of {unset[0]}",
            "Train it some epochs, or run some data with model(x, training=True).",
        )


def input_range(model):
    """The trained range of a quantisation-aware model's one input.

    Args:
        model: from `quantization_aware`.

    Returns:
        `(low, high)`, floats.

    Example:
        >>> import keras
        >>> from keras_kd.export import quantization_aware
        >>> student = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> model = quantization_aware(student)
        >>> _ = model(keras.ops.array([[-1.0, 3.0]]), training=True)
        >>> input_range(model)
        (-1.0, 3.0)
    """
    return model.get_layer(f"{model.inputs[0].name}_range").bounds


def _float_layers(model, prefix):
    functional = as_functional(model)
    operations_ = {id(one): one for one in functional.operations}
    for one in operations_.values():
        if is_functional(one):
            yield from _float_layers(one, f"{prefix}{one.name}/")
        elif not (table.is_ours(one) or keeps_range(one)):
            yield f"{prefix}{one.name}"

"""Which quantised layer takes the place of which layer."""

from keras import layers, ops

from keras_kd.export.quantization import merging, unweighted, weighted
from keras_kd.export.quantization.affine import QuantizedAffine
from keras_kd.export.quantization.folding import FOLDABLE, affine_of, folded_weights
from keras_kd.export.quantization.output import QuantizedOutput, kind_of
from keras_kd.export.quantization.passing import keeps_range
from keras_kd.export.quantization.ranges import ActivationRange

_WEIGHTED = {
    layers.Conv1D: weighted.QuantizedConv1D,
    layers.Conv2D: weighted.QuantizedConv2D,
    layers.Conv2DTranspose: weighted.QuantizedConv2DTranspose,
    layers.Dense: weighted.QuantizedDense,
    layers.DepthwiseConv2D: weighted.QuantizedDepthwiseConv2D,
    layers.SeparableConv2D: weighted.QuantizedSeparableConv2D,
}
# The converter fails on transposed convolutions of 4-bit weights. Depthwise ones have
# few weights, each of which counts: they cost most of what 4 bits cost a student.
_ALWAYS_EIGHT_BITS = (layers.Conv2DTranspose, layers.DepthwiseConv2D)
_UNWEIGHTED = {
    layers.Activation: unweighted.QuantizedActivation,
    layers.Add: merging.QuantizedAdd,
    layers.Concatenate: merging.QuantizedConcatenate,
    layers.GlobalAveragePooling1D: unweighted.QuantizedGlobalAveragePooling1D,
    layers.GlobalAveragePooling2D: unweighted.QuantizedGlobalAveragePooling2D,
    layers.LeakyReLU: unweighted.QuantizedLeakyReLU,
    layers.Maximum: merging.QuantizedMaximum,
    layers.Minimum: merging.QuantizedMinimum,
    layers.Multiply: merging.QuantizedMultiply,
    layers.PReLU: unweighted.QuantizedPReLU,
    layers.ReLU: unweighted.QuantizedReLU,
    layers.Softmax: unweighted.QuantizedSoftmax,
    layers.Subtract: merging.QuantizedSubtract,
}
_AFFINE = (layers.BatchNormalization, layers.Normalization, layers.Rescaling)


def takes_activation(operation):
    """Whether a ReLU behind the layer becomes part of its operation in the file."""
    kinds = (*_WEIGHTED, *_AFFINE, layers.Add, layers.Multiply, layers.Subtract)
    linear = kind_of(getattr(operation, "activation", None)) in (None, "linear")
    return type(operation) in kinds and linear


def is_integer(operation, shapes):
    """Whether a file can compute a layer in integers alone.

    Args:
        operation: layer or other operation.
        shapes: list, of all tensors it is given.
    """
    kind = type(operation)
    if getattr(operation, "data_format", None) == "channels_first":
        return False
    if kind in _AFFINE:
        return _axis(operation) in (-1, len(shapes[0]) - 1)
    if issubclass(_UNWEIGHTED.get(kind, kind), merging.QuantizedPairs):
        return len({len(shape) for shape in shapes}) == 1
    known = kind in _WEIGHTED or kind in _UNWEIGHTED or keeps_range(operation)
    return known and unweighted.has_integer_activation(operation)


def is_ours(layer):
    """Whether a layer is one that `quantized` made."""
    return isinstance(layer, (QuantizedOutput, ActivationRange))


def quantized(layer, site, weights_bits):
    """The layer to take another's place.

    Args:
        layer: a built layer for which `is_integer` holds.
        site: its `Site`.
        weights_bits: int, 4 or 8.

    Returns:
        `(new, weights)`: the new layer, not built, and what its weights shall be, a
        dict of attribute to array.
    """
    options = {"quantise_output": site.quantise_output}
    if isinstance(layer, _AFFINE):
        return _affine(layer, site.shapes[0][-1], options)
    if keeps_range(layer):
        return _copy(type(layer), layer), {}
    if type(layer) in _UNWEIGHTED:
        new = _copy(_UNWEIGHTED[type(layer)], layer, **options)
        is_prelu = isinstance(layer, layers.PReLU)
        return new, {"alpha": layer.alpha} if is_prelu else {}
    if isinstance(layer, FOLDABLE) and site.norm is not None:
        options["use_bias"] = True
    if not isinstance(layer, _ALWAYS_EIGHT_BITS):
        options["weights_bits"] = weights_bits
    weights = folded_weights(layer, site.norm)
    return _copy(_WEIGHTED[type(layer)], layer, **options), weights


def copied(layer):
    """A copy of a layer, which computes in float32."""
    return _copy(type(layer), layer)


def _affine(layer, channels, options):
    new = QuantizedAffine(
        name=layer.name,
        trainable=layer.trainable,
        dtype="float32",
        constant=not isinstance(layer, layers.BatchNormalization),
        **options,
    )
    names = ("scale", "offset")
    parts = zip(names, affine_of(layer), strict=True)
    return new, {
        name: ops.convert_to_numpy(
            ops.broadcast_to(part.astype("float32"), (channels,))
        )
        for name, part in parts
    }


def _axis(layer):
    if isinstance(layer, layers.Rescaling):
        return -1
    axis = layer.axis
    return axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis


def _copy(kind, layer, **options):
    config = {**layer.get_config(), "dtype": "float32", **options}
    # LoRA's part is in the kernel that is copied.
    for gone in ("lora_rank", "lora_alpha", "quantization_config"):
        config.pop(gone, None)
    return kind.from_config(config)

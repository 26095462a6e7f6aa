"""BatchNormalization as part of the layer before it."""

import numpy as np
from keras import backend, layers, ops

FOLDABLE = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Dense,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
)


def affine_of(layer):
    """What a layer does to each channel in inference mode: x · scale + offset.

    Args:
        layer: a built `BatchNormalization`, `Normalization` or `Rescaling`.

    Returns:
        Two float64 arrays, `(channels,)` or scalars.

    Example:
        >>> [float(part) for part in affine_of(layers.Rescaling(2.0, offset=-1.0))]
        [2.0, -1.0]
    """
    if isinstance(layer, layers.Rescaling):
        return _array(layer.scale), _array(layer.offset)
    if isinstance(layer, layers.Normalization):
        mean, variance = _array(layer.mean).ravel(), _array(layer.variance).ravel()
        deviation = np.maximum(np.sqrt(variance), backend.epsilon())
        if layer.invert:
            return deviation, mean
        return 1.0 / deviation, -mean / deviation
    deviation = np.sqrt(_array(layer.moving_variance) + layer.epsilon)
    scale = (1.0 if layer.gamma is None else _array(layer.gamma)) / deviation
    beta = 0.0 if layer.beta is None else _array(layer.beta)
    return scale, beta - _array(layer.moving_mean) * scale


def folded_weights(layer, norm=None):
    """The weights of a layer that does the work of the BatchNormalization behind it.

    Args:
        layer: a built layer of one of the `FOLDABLE` types, without an activation.
        norm: the `BatchNormalization`; None for the weights as they are.

    Returns:
        A dict of attribute to float32 array.

    Example:
        >>> dense = layers.Dense(2)
        >>> dense.build((None, 3))
        >>> {name: value.shape for name, value in folded_weights(dense).items()}
        {'kernel': (3, 2), 'bias': (2,)}
    """
    weights = {
        name: _array(getattr(layer, name))
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel", "bias")
        if getattr(layer, name, None) is not None
    }
    if norm is not None:
        scale, offset = affine_of(norm)
        last = "pointwise_kernel" if "pointwise_kernel" in weights else "kernel"
        weights[last] = weights[last] * _spread(scale, layer, weights[last])
        weights["bias"] = weights.get("bias", 0.0) * scale + offset
    return {name: value.astype("float32") for name, value in weights.items()}


def _spread(scale, layer, kernel):
    """A scale for each output channel, in a shape to multiply the kernel with."""
    if isinstance(layer, layers.DepthwiseConv2D):
        return scale.reshape(kernel.shape[-2:])
    if isinstance(layer, layers.Conv2DTranspose):
        return scale[:, None]
    return scale


def _array(variable):
    return ops.convert_to_numpy(variable).astype("float64")

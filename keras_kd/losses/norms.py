"""Lengths and directions of vectors, with finite gradients at zero."""

from keras import ops


def l2_normalise(values, axis=-1):
    """Vectors scaled to length 1; the zero vector stays zero, with finite gradient.

    Args:
        values: float tensor.
        axis: int or tuple, the axes that hold one vector.

    Returns:
        Tensor of the same shape: v / max(‖v‖₂, 1e-12).

    Example:
        >>> ops.convert_to_numpy(l2_normalise(ops.array([3.0, 4.0]))).round(1).tolist()
        [0.6000000238418579, 0.800000011920929]
    """
    squared = ops.sum(ops.square(values), axis=axis, keepdims=True)
    # The square root is taken of 1 where the vector is zero: its own gradient there is
    # infinite, and 0 · inf would be NaN.
    is_zero = ops.equal(squared, 0.0)
    length = ops.sqrt(ops.where(is_zero, 1.0, squared))
    return ops.where(is_zero, 0.0, values / ops.maximum(length, 1e-12))

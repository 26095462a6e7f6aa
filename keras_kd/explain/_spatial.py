"""The layer at which a model still knows where things are."""

from keras_kd.outputs import find_layer, layer_shapes


def spatial_layer(model, images):
    """The path of the layer whose channels make the best map; None if there is none.

    It is the end of the last stage that filters: the last layer with a kernel that
    gives maps `(batch, h, w, channels)` of more than one pixel, or the last after it
    whose maps are as large (its normalization, activation, sum, concatenation).

    Args:
        model: a Keras model of any kind.
        images: a real batch, as the model takes it; of one image.

    Returns:
        A str, or None.

    Example:
        >>> import keras
        >>> conv = keras.layers.Conv2D(2, 3, name="conv")
        >>> stack = [keras.Input((8, 8, 1)), conv, keras.layers.Flatten()]
        >>> spatial_layer(keras.Sequential(stack), keras.ops.zeros((1, 8, 8, 1)))
        'conv'
    """
    shapes = layer_shapes(model, images)
    filters = [
        path
        for path, shape in shapes.items()
        if len(shape) == 4 and min(shape[1:3]) > 1 and _has_kernel(model, path)
    ]
    if not filters:
        return None
    paths, size = list(shapes), shapes[filters[-1]][1:3]
    after = paths[paths.index(filters[-1]) :]
    return [p for p in after if len(shapes[p]) == 4 and shapes[p][1:3] == size][-1]


def _has_kernel(model, path):
    return any(len(weight.shape) > 1 for weight in find_layer(model, path).weights)

"""A batch as vectors, one per example, between which relations are measured."""

import math

from keras import layers, ops

from keras_kd._checks import invalid


def batch_vectors(features):
    """One flat vector per example, in float32.

    Args:
        features: float `(batch, ...)`, a layer's output of any rank.

    Returns:
        Float32 `(batch, values)`; embeddings `(batch, values)` are taken as they are.

    Example:
        >>> tuple(batch_vectors(ops.ones((2, 4, 4, 3))).shape)
        (2, 48)
    """
    features = ops.cast(features, "float32")
    if len(features.shape) == 2:
        return features
    return ops.reshape(features, (ops.shape(features)[0], -1))


def check_several_examples(where, features):
    """Raises if the batch is known to hold one example, which has no relations.

    Args:
        where: str, see `invalid`.
        features: `(batch, ...)`. A batch size known only at run time passes: a batch
            that happens to hold one example, such as the last of an epoch, counts 0.

    Raises:
        ValueError: The batch size is 1.

    Example:
        >>> check_several_examples("here", ops.ones((2, 3)))
    """
    if features.shape[0] == 1:
        raise invalid(
            where,
            "a batch of at least 2 examples, to relate them to each other",
            "a batch of 1",
            "Raise the batch size, and drop a last batch of 1.",
        )


def make_embeddings(loss, number, teacher_shape, student_shape, units):
    """Two linear layers that bring a pair of layers to the same width.

    Args:
        loss: the `LayerPairLoss` that will own them.
        number: int, which of its pairs.
        teacher_shape: tuple, with the batch axis, of any rank.
        student_shape: the same.
        units: int > 0, the width.

    Returns:
        Two built `keras.layers.Dense`, for `batch_vectors` of the teacher and of the
        student.

    Raises:
        ValueError: A shape is not fixed.
    """
    shapes = teacher_shape, student_shape
    if None in (*teacher_shape[1:], *student_shape[1:]):
        raise loss.layers_error(
            number,
            "values of a fixed size",
            *shapes,
            "Fix the models' input sizes, or name layers after the pooling.",
        )
    embeddings = [layers.Dense(units, dtype="float32") for _ in shapes]
    for embedding, shape in zip(embeddings, shapes, strict=True):
        embedding.build((None, math.prod(shape[1:])))
    return embeddings

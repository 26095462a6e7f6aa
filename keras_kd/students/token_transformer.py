"""A tiny transformer for sequences of tokens."""

import keras
from keras import layers

from keras_kd._checks import check_positive, invalid


def token_transformer(
    sequence_length,
    vocabulary_size,
    num_classes,
    *,
    width,
    blocks=2,
    heads=4,
    name="token_transformer",
):
    """Attention and dense layers in turn, normalised before each; the mean decides.

    Positions come from a depthwise convolution of the embeddings, so that the model is
    of standard layers only, for every converter.

    Runs on: mobile, browser. TensorFlow Lite Micro lacks the SELECT that comes
    from Embedding.

    Args:
        sequence_length: int > 0, of the tokens of one example.
        vocabulary_size: int > 0; tokens are below it.
        num_classes: int, the units of the head, which gives logits.
        width: int > 0, of the embeddings; a multiple of `heads`.
        blocks: int > 0, of attention and two dense layers.
        heads: int > 0.
        name: str.

    Returns:
        An untrained Functional `keras.Model` of int32 tokens `(batch,
        sequence_length)`. Its blocks end in layers named "block_1", "block_2", ….

    Raises:
        ValueError: `width` is no multiple of `heads`.

    Reference:
        Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; positions as in Chu et
        al., 2021, https://arxiv.org/abs/2102.10882.
        Departures: normalised before each part rather than after; dense layers twice
        as wide, not four times.

    Example:
        >>> token_transformer(16, 1000, 4, width=32).output_shape
        (None, 4)
    """
    sizes = {"width": width, "blocks": blocks, "heads": heads}
    for argument, value in sizes.items():
        check_positive("token_transformer", argument, value)
    if width % heads:
        raise invalid(
            "token_transformer",
            f"`width` to be a multiple of heads={heads}",
            width,
            f"Choose width={max(1, round(width / heads)) * heads}.",
        )
    tokens = keras.Input((sequence_length,), dtype="int32", name="tokens")
    x = layers.Embedding(vocabulary_size, width, name="embedding")(tokens)
    x = layers.Add()([x, layers.DepthwiseConv1D(3, padding="same")(x)])
    for block in range(1, blocks + 1):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(heads, width // heads)(y, y)
        x = layers.Add()([x, y])
        y = layers.Dense(2 * width, activation="relu")(layers.LayerNormalization()(x))
        x = layers.Add(name=f"block_{block}")([x, layers.Dense(width)(y)])
    x = layers.GlobalAveragePooling1D(name="features")(layers.LayerNormalization()(x))
    return keras.Model(tokens, layers.Dense(num_classes, name="logits")(x), name=name)

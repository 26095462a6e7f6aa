"""Factor transfer's paraphraser: an autoencoder of the teacher's feature maps."""

import keras
from keras import layers, ops

from keras_kd._checks import check_positive, invalid
from keras_kd.losses import maps
from keras_kd.outputs import find_head, forward


def coder(widths, layer, *, batch_norm):
    """Three convolutions of 3x3, each with LeakyReLU, maybe BatchNormalization between.

    Args:
        widths: list of int, the channels of each.
        layer: `keras.layers.Conv2D` or `keras.layers.Conv2DTranspose`.
        batch_norm: bool.

    Returns:
        A `keras.Sequential` in float32, not built.

    Example:
        >>> blocks = coder([4, 2, 2], layers.Conv2D, batch_norm=True)
        >>> tuple(blocks(ops.ones((1, 5, 5, 3))).shape)
        (1, 5, 5, 2)
    """
    parts = []
    for width in widths:
        parts.append(
            layer(
                width,
                3,
                padding="same",
                kernel_initializer="he_normal",
                dtype="float32",
            )
        )
        if batch_norm:
            parts.append(layers.BatchNormalization(**maps.BATCH_NORM, dtype="float32"))
        parts.append(layers.LeakyReLU(negative_slope=0.1, dtype="float32"))
    return maps.stack(*parts)


@keras.saving.register_keras_serializable(package="keras_kd")
class Paraphraser(keras.layers.Layer):
    """Says what the teacher's feature maps say with other channels, usually fewer.

    An encoder to factors and a decoder back. `fit_paraphraser` makes a trained one;
    `FactorDistillation` then only encodes, and leaves the weights as they are.

    Args:
        channels: int, of the teacher's maps.
        rate: float > 0, factors per channel. Default 0.5.
        batch_norm: bool, whether to normalise between the convolutions. Default False.
        trainable: bool, as for any Keras layer. Default True.
        name: str, as for any Keras layer.

    Attributes:
        factor_channels: int, at least 1, channels of the factors.

    Raises:
        ValueError: `channels` or `rate` is not above 0.

    Reference:
        Kim et al., "Paraphrasing Complex Network", NeurIPS 2018,
        https://arxiv.org/abs/1802.04977.
        Departures: none.

    Example:
        >>> paraphraser = Paraphraser(6)
        >>> teacher_maps = ops.ones((1, 4, 4, 6))
        >>> tuple(paraphraser.encode(teacher_maps).shape)
        (1, 4, 4, 3)
        >>> tuple(paraphraser(teacher_maps).shape)
        (1, 4, 4, 6)
    """

    def __init__(
        self, channels, *, rate=0.5, batch_norm=False, trainable=True, name=None
    ):
        super().__init__(name=name, dtype="float32")
        check_positive("Paraphraser", "channels", channels)
        check_positive("Paraphraser", "rate", rate)
        self.channels = channels
        self.rate = rate
        self.batch_norm = batch_norm
        self.factor_channels = max(1, int(channels * rate))
        few, many = self.factor_channels, channels
        self.encoder = coder([many, few, few], layers.Conv2D, batch_norm=batch_norm)
        self.decoder = coder(
            [few, many, many], layers.Conv2DTranspose, batch_norm=batch_norm
        )
        # Here rather than in `build`: `encode` runs the encoder alone.
        self.encoder.build((None, None, None, many))
        self.decoder.build((None, None, None, few))
        # Last, so that it reaches the layers inside.
        self.trainable = trainable

    def encode(self, teacher_maps):
        """The factors of feature maps.

        Args:
            teacher_maps: float `(batch, height, width, channels)`.

        Returns:
            Float32 `(batch, height, width, factor_channels)`.
        """
        return self.encoder(ops.cast(teacher_maps, "float32"))

    def call(self, teacher_maps):
        """The feature maps as reconstructed from their factors."""
        return self.decoder(self.encode(teacher_maps))

    def compute_output_shape(self, input_shape):
        """The shape of the reconstruction: that of the maps."""
        return input_shape

    def get_config(self):
        """The arguments of the constructor, without the fixed settings of a layer."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "channels": self.channels,
            "rate": self.rate,
            "batch_norm": self.batch_norm,
        }


def reconstruction_error(teacher_maps, reconstruction):
    """Mean squared difference of feature maps and their reconstruction.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        reconstruction: same shape, of a `Paraphraser`.

    Returns:
        Float32 `(batch,)`, at least 0.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Kim et al., "Paraphrasing Complex Network", NeurIPS 2018,
        https://arxiv.org/abs/1802.04977.
        Departures: none from the paper and RepDistiller; the authors' script has the
        mean absolute difference.

    Example:
        >>> ones = ops.ones((1, 2, 2, 3))
        >>> float(reconstruction_error(ones, 3.0 * ones)[0])
        4.0
    """
    teacher_maps, reconstruction = maps.as_float32(teacher_maps, reconstruction)
    maps.check_equal_shapes("reconstruction_error", teacher_maps, reconstruction)
    return ops.mean(ops.square(reconstruction - teacher_maps), axis=(1, 2, 3))


def fit_paraphraser(
    teacher, layer, batches, *, rate=0.5, batch_norm=False, epochs=30, optimizer=None
):
    """Trains a paraphraser for a layer of the teacher: the first stage of the paper.

    Args:
        teacher: a trained Keras model with one output; it stays as it is.
        layer: path of a layer that gives maps `(height, width, channels)`.
        batches: list, or anything else that can be gone through repeatedly, of batches
            of inputs without labels.
        rate: float > 0, factors per channel of the teacher. Default 0.5.
        batch_norm: bool, see `Paraphraser`. Default False.
        epochs: int, how many times to go through `batches`. Default 30.
        optimizer: a Keras optimizer. Default None: Adam with learning rate 1e-3.

    Returns:
        A frozen `Paraphraser`.

    Raises:
        ValueError: The layer does not exist or gives no maps; there are no batches.

    Reference:
        Kim et al., "Paraphrasing Complex Network", NeurIPS 2018,
        https://arxiv.org/abs/1802.04977.
        Departures: Adam, which needs no learning rate for the scale of the features,
        where the authors use SGD of 0.1.

    Example:
        >>> conv = keras.layers.Conv2D(4, 3, name="conv")
        >>> pool = keras.layers.GlobalAveragePooling2D()
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), conv, pool])
        >>> paraphraser = fit_paraphraser(model, "conv", [ops.ones((2, 8, 8, 3))])
        >>> paraphraser.factor_channels, paraphraser.trainable
        (2, False)
    """
    head, paraphraser, trainer = find_head(teacher), None, None
    for _ in range(epochs):
        for batch in batches:
            _, outputs = forward(teacher, batch, head=head, layers=[layer])
            features = ops.stop_gradient(outputs.features[layer])
            if trainer is None:
                _check_maps(layer, features)
                paraphraser = Paraphraser(
                    features.shape[-1], rate=rate, batch_norm=batch_norm
                )
                trainer = keras.Sequential([paraphraser])
                trainer.compile(optimizer or "adam", loss=reconstruction_error)
            trainer.train_on_batch(features, features)
    if paraphraser is None:
        raise invalid(
            "fit_paraphraser",
            "at least one epoch of at least one batch",
            "none",
            "Pass `batches` as a list or a dataset rather than a generator.",
        )
    paraphraser.trainable = False
    return paraphraser


def _check_maps(layer, features):
    if len(features.shape) != 4:
        raise invalid(
            "fit_paraphraser",
            f'teacher layer "{layer}" to give maps (height, width, channels)',
            tuple(features.shape[1:]),
            "Name a layer before the pooling.",
        )

"""Inter-channel correlation: which channels of a map fire together."""

import keras
from keras import layers, ops

from keras_kd._checks import check_positive
from keras_kd.losses import maps
from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.pairs import LayerPairLoss


def inter_channel_gap(teacher_maps, student_maps):
    """Squared difference of two maps' correlations between channels.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        student_maps: the same, of any height and width.

    Returns:
        Float32 `(batch,)`, at least 0: ‖G_t - G_s‖² / channels, where row i of G is the
        direction of channel i's inner products with all channels.

    Reference:
        Liu et al., "Exploring Inter-Channel Correlation for Diversity-preserved
        Knowledge Distillation", ICCV 2021, https://arxiv.org/abs/2202.03680.
        Departures: the scaling is that of the authors' CIFAR code: rows of length 1,
        the sum divided by the number of channels. Their ImageNet code divides by the
        size of the batch once more, with weight 500.

    Example:
        >>> teacher = ops.ones((1, 2, 2, 2))
        >>> student = teacher * ops.array([1.0, 0.0])
        >>> round(float(inter_channel_gap(teacher, student)[0]), 3)
        0.793
    """
    teacher = _correlations(ops.stop_gradient(teacher_maps))
    squares = ops.square(teacher - _correlations(student_maps))
    return ops.sum(squares, axis=(1, 2)) / teacher.shape[-1]


@keras.saving.register_keras_serializable(package="keras_kd")
class InterChannelDistillation(LayerPairLoss):
    """The student's channels correlate as the teacher's do (ICKD-C).

    The student's map first goes through a convolution to the teacher's channels and
    BatchNormalization, which train with the student.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(batch, height, width, channels)`; the authors take the last.
        student_layers: as many of the student's; any height and width.
        kernel_size: int > 0, of the convolution: 1, or 3 as in the authors' ImageNet
            code. None for no convolution, between maps of equally many channels.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `kernel_size` is not above 0; a layer gives no map; the channels
            differ and `kernel_size` is None.

    Reference:
        Liu et al., "Exploring Inter-Channel Correlation for Diversity-preserved
        Knowledge Distillation", ICCV 2021, https://arxiv.org/abs/2202.03680.
        Departures: see `inter_channel_gap`. The teacher's map is taken as it is, as in
        the authors' code.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> one = ModelOutputs(ops.ones((1, 5)), {"conv": ops.ones((1, 2, 2, 4))})
        >>> loss = InterChannelDistillation("conv", "conv", kernel_size=None)
        >>> float(loss(one, one)[0])
        0.0
    """

    published_weight = 2.5

    def __init__(self, teacher_layers, student_layers, kernel_size=1, *, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        if kernel_size is not None:
            check_positive("InterChannelDistillation", "kernel_size", kernel_size)
        self.kernel_size = kernel_size
        self.embeddings = []

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        embeds = self.kernel_size is not None
        shapes = maps.map_shapes(self, teacher_shapes, student_shapes, fixed_size=False)
        for number, (teacher, student) in enumerate(shapes):
            if teacher[-1] != student[-1] and not embeds:
                raise self.pair_error(
                    number,
                    "the channels",
                    teacher,
                    student,
                    "Choose layers of equal width, or leave `kernel_size` at 1.",
                )
            embedding = layers.Identity(dtype="float32")
            if embeds:
                embedding = maps.stack(
                    maps.convolution(teacher[-1], self.kernel_size),
                    layers.BatchNormalization(**maps.BATCH_NORM, dtype="float32"),
                )
            embedding.build((None, *student[1:]))
            self.embeddings.append(embedding)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`, summed over the pairs."""
        pairs = self.pairs(teacher.features, student.features)
        return sum(
            inter_channel_gap(ours, embedding(theirs))
            for embedding, (ours, theirs) in zip(self.embeddings, pairs, strict=True)
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "kernel_size": self.kernel_size}


def _correlations(feature_maps):
    feature_maps = ops.cast(feature_maps, "float32")
    products = ops.einsum("bhwi,bhwj->bij", feature_maps, feature_maps)
    return l2_normalise(products)

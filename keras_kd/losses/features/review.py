"""Knowledge review: deep layers of the student help its shallow ones to follow."""

import keras
import numpy as np
from keras import layers, ops

from keras_kd._checks import check_positive
from keras_kd.losses import maps
from keras_kd.losses.pairs import LayerPairLoss


def hierarchical_context_gap(teacher_maps, student_maps, *, levels=(4, 2, 1)):
    """Mean squared difference of two maps, at full size and pooled to smaller ones.

    Args:
        teacher_maps: float `(batch, height, width, channels)`, height and width known;
            a constant.
        student_maps: same shape.
        levels: ints, rows and columns of the pooled maps; those not below the height
            are left out. Each counts half as much as the one before.

    Returns:
        Float32 `(batch,)`, at least 0, the weighted mean over the sizes.

    Reference:
        Chen et al., "Distilling Knowledge via Knowledge Review", CVPR 2021,
        https://arxiv.org/abs/2104.09044 (its HCL loss).
        Departures: the weights of the sizes, which the authors' code alone states.

    Example:
        >>> teacher, student = ops.ones((1, 8, 8, 3)), ops.zeros((1, 8, 8, 3))
        >>> float(hierarchical_context_gap(teacher, student)[0])
        1.0
    """
    teacher_maps = ops.stop_gradient(ops.cast(teacher_maps, "float32"))
    gap = teacher_maps - ops.cast(student_maps, "float32")
    total, weight, weights = _mean_square(gap), 1.0, 1.0
    for level in levels:
        if level >= gap.shape[1]:
            continue
        weight = weight / 2
        # Pooling is linear: the pooled difference is the difference of the pooled.
        pooled = maps.adaptive_average_pool(gap, level, level)
        total = total + weight * _mean_square(pooled)
        weights = weights + weight
    return total / weights


@keras.saving.register_keras_serializable(package="keras_kd")
class ReviewDistillation(LayerPairLoss):
    """Each student layer, fused with all deeper ones, follows one of the teacher.

    Known as ReviewKD. From the deepest pair to the shallowest, a fusion block mixes the
    student's map with what came from the deeper ones, by learnt attention, and a 3x3
    convolution brings it to the teacher's channels. The blocks train with the student.

    Args:
        teacher_layers: paths of the teacher's layers, **from shallow to deep**: maps
            `(batch, height, width, channels)`, the deepest often the pooled vector
            `(batch, channels)`.
        student_layers: as many of the student's, in the same order.
        most_channels: int > 0, limit of the width of the fusion blocks, which is that
            of the deepest student layer. Default 512.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `most_channels` is not above 0; a layer gives neither a map of known
            size nor a vector.

    Reference:
        Chen et al., "Distilling Knowledge via Knowledge Review", CVPR 2021,
        https://arxiv.org/abs/2104.09044.
        Departures: none. The authors take the teacher's maps before the activation and
        the weight between 1 (ImageNet) and 8, rising over the first 20 epochs.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> features = {"block": ops.ones((2, 4, 4, 3)), "pool": ops.ones((2, 5))}
        >>> one = ModelOutputs(ops.ones((2, 10)), features)
        >>> loss = ReviewDistillation(["block", "pool"], ["block", "pool"])
        >>> tuple(loss(one, one).shape)
        (2,)
    """

    def __init__(self, teacher_layers, student_layers, most_channels=512, *, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        check_positive("ReviewDistillation", "most_channels", most_channels)
        self.most_channels = int(most_channels)
        self.fusions = []

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        shapes = self.pairs(teacher_shapes.features, student_shapes.features)
        for number, (teacher, student) in enumerate(shapes):
            if not _is_map_or_vector(teacher) or not _is_map_or_vector(student):
                raise self.layers_error(
                    number,
                    "maps (height, width, channels) of a fixed size, or vectors",
                    teacher,
                    student,
                    "Choose convolutional layers or the pooled vector.",
                )
        width = min(self.most_channels, shapes[-1][1][-1])
        for teacher, student in reversed(shapes):
            size = tuple(teacher[1:-1]) or (1, 1)
            fusion = _Fusion(width, teacher[-1], size, is_deepest=not self.fusions)
            fusion.build((None, *(tuple(student[1:-1]) or (1, 1)), student[-1]))
            self.fusions.append(fusion)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`, summed over the pairs."""
        total, deeper = 0.0, None
        pairs = reversed(self.pairs(teacher.features, student.features))
        for fusion, (ours, theirs) in zip(self.fusions, pairs, strict=True):
            deeper, output = fusion(_as_map(theirs), deeper)
            total = total + hierarchical_context_gap(_as_map(ours), output)
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "most_channels": self.most_channels}


class _Fusion(layers.Layer):
    """Mixes a map with the fused map of the deeper layers ("ABF" in the paper)."""

    def __init__(self, width, channels, size, *, is_deepest):
        super().__init__(dtype="float32")
        self.width, self.size = width, size
        self.reduce = maps.stack(maps.convolution(width), _batch_norm())
        self.expand = maps.stack(maps.convolution(channels, 3), _batch_norm())
        self.attend = None if is_deepest else maps.convolution(2, use_bias=True)

    def build(self, input_shape):
        self.reduce.build(input_shape)
        self.expand.build((None, *self.size, self.width))
        if self.attend is not None:
            self.attend.build((*input_shape[:-1], 2 * self.width))

    def call(self, student_map, deeper=None):
        fused = self.reduce(student_map)
        if deeper is not None:
            deeper = _nearest(deeper, fused.shape[1:3])
            scores = self.attend(ops.concatenate([fused, deeper], axis=-1))
            attention = ops.sigmoid(scores)
            fused = fused * attention[..., :1] + deeper * attention[..., 1:]
        fused = _nearest(fused, self.size)
        return fused, self.expand(fused)


def _batch_norm():
    return layers.BatchNormalization(**maps.BATCH_NORM, dtype="float32")


def _nearest(feature_maps, size):
    """Nearest-neighbour resize with PyTorch's choice of rows, floor(i · H / h)."""
    # Not ops.image.resize: halving a map, it takes the odd rows and PyTorch the even.
    for axis, wanted in zip((1, 2), size, strict=True):
        given = feature_maps.shape[axis]
        if given != wanted:
            picks = np.arange(wanted) * given // wanted
            feature_maps = ops.take(feature_maps, picks, axis=axis)
    return feature_maps


def _as_map(features):
    if len(features.shape) == 4:
        return features
    return ops.reshape(features, (-1, 1, 1, features.shape[-1]))


def _is_map_or_vector(shape):
    return len(shape) in (2, 4) and None not in shape[1:]


def _mean_square(gap):
    return ops.mean(ops.square(gap), axis=(1, 2, 3))

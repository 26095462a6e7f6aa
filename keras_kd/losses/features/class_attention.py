"""Class attention transfer: where in the image each class is seen."""

import keras
from keras import ops

from keras_kd._checks import check_positive
from keras_kd.losses import maps
from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.pairs import LayerPairLoss

_FIX = (
    "End both models in a 1x1 convolution to the classes and global average pooling, "
    "and name the convolutions."
)


def class_attention_gap(teacher_maps, student_maps, *, resolution=2, normalize=True):
    """Mean squared difference of pooled class activation maps.

    Args:
        teacher_maps: float `(batch, height, width, num_classes)`, one map per class,
            height and width known; a constant.
        student_maps: the same, of any height and width.
        resolution: int, both maps are pooled to `resolution` x `resolution`.
        normalize: bool, whether every class's map is scaled to length 1, so that only
            where it is active counts and not how strongly.

    Returns:
        Float32 `(batch,)`, at least 0, the mean over positions and classes.

    Reference:
        Guo et al., "Class Attention Transfer Based Knowledge Distillation", CVPR 2023,
        https://arxiv.org/abs/2304.12777.
        Departures: none.

    Example:
        >>> teacher, student = ops.ones((1, 4, 4, 3)), ops.zeros((1, 2, 2, 3))
        >>> float(class_attention_gap(teacher, student)[0])
        0.25
    """
    sides = []
    for side in (ops.stop_gradient(teacher_maps), student_maps):
        side = ops.cast(side, "float32")
        side = maps.adaptive_average_pool(side, resolution, resolution)
        sides.append(l2_normalise(side, axis=(1, 2)) if normalize else side)
    return ops.mean(ops.square(sides[0] - sides[1]), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_kd")
class ClassAttentionDistillation(LayerPairLoss):
    """The student sees each class where the teacher sees it (CAT-KD).

    Both networks must compute class activation maps: end in a 1x1 convolution with one
    channel per class, followed by global average pooling, in the place of pooling and
    a dense layer (which gives the same logits). Name those convolutions.

    Args:
        teacher_layers: path of the layer that gives the teacher's class activation maps
            `(batch, height, width, num_classes)`, or a list of such paths.
        student_layers: as many of the student's; height and width may differ.
        resolution: int > 0, rows and columns the maps are pooled to. Default 2.
        normalize: bool, whether every map is scaled to length 1. Default True.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `resolution` is not above 0; the layers differ in their number of
            classes, or give no maps of known size.

    Reference:
        Guo et al., "Class Attention Transfer Based Knowledge Distillation", CVPR 2023,
        https://arxiv.org/abs/2304.12777.
        Departures: none.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((1, 3)), {"cam": ops.ones((1, 4, 4, 3))})
        >>> student = ModelOutputs(ops.ones((1, 3)), {"cam": ops.zeros((1, 2, 2, 3))})
        >>> float(ClassAttentionDistillation("cam", "cam")(teacher, student)[0])
        0.25
    """

    published_weight = 400.0

    def __init__(
        self, teacher_layers, student_layers, resolution=2, normalize=True, *, name=None
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        check_positive("ClassAttentionDistillation", "resolution", resolution)
        self.resolution = int(resolution)
        self.normalize = bool(normalize)

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        shapes = maps.map_shapes(self, teacher_shapes, student_shapes, fix=_FIX)
        for number, (teacher, student) in enumerate(shapes):
            if teacher[-1] != student[-1]:
                raise self.pair_error(number, "the classes", teacher, student, _FIX)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`, summed over the pairs."""
        return sum(
            class_attention_gap(
                ours, theirs, resolution=self.resolution, normalize=self.normalize
            )
            for ours, theirs in self.pairs(teacher.features, student.features)
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "resolution": self.resolution,
            "normalize": self.normalize,
        }

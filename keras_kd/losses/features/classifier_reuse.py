"""Classifier reuse: learn the features the teacher's own classifier can read."""

import keras
from keras import layers, ops

from keras_kd._checks import check_positive
from keras_kd.losses import maps
from keras_kd.losses.pairs import LayerPairLoss


def projected_feature_gap(teacher_maps, projected_maps):
    """Mean squared difference of the teacher's map and the student's projected one.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        projected_maps: same shape.

    Returns:
        Float32 `(batch,)`, at least 0.

    Reference:
        Chen et al., "Knowledge Distillation with the Reused Teacher Classifier", CVPR
        2022, https://arxiv.org/abs/2203.14001.
        Departures: none.

    Example:
        >>> teacher, student = ops.ones((1, 2, 2, 3)), ops.zeros((1, 2, 2, 3))
        >>> float(projected_feature_gap(teacher, student)[0])
        1.0
    """
    teacher_maps = ops.stop_gradient(ops.cast(teacher_maps, "float32"))
    gap = teacher_maps - ops.cast(projected_maps, "float32")
    return ops.mean(ops.square(gap), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_kd")
class ClassifierReuseDistillation(LayerPairLoss):
    """The student's last map, projected, becomes the teacher's (SimKD).

    The teacher's classifier can then be put on top of student and projector, and the
    student's own head dropped, as the example does. `projectors` holds the projector of
    each pair: 1x1, 3x3 and 1x1 convolutions, each with BatchNormalization and ReLU,
    which train with the student.

    Args:
        teacher_layers: path of the teacher's last map `(batch, height, width,
            channels)`, after its ReLU, or a list of paths.
        student_layers: the student's. The taller of the two is pooled to the height of
            the other.
        reduction: int > 0; the projector's inner width is the teacher's channels
            divided by it. Default 2.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `reduction` is not above 0; a layer gives no map of known size; maps
            of different size are not square.

    Reference:
        Chen et al., "Knowledge Distillation with the Reused Teacher Classifier", CVPR
        2022, https://arxiv.org/abs/2203.14001.
        Departures: none in the loss. The authors train on it alone; the student that
        `Distiller` leaves is without projector and keeps its own head, so train that on
        labels too, or put the parts together as below.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((1, 5)), {"top": ops.zeros((1, 2, 2, 8))})
        >>> student = ModelOutputs(ops.ones((1, 5)), {"conv": ops.zeros((1, 2, 2, 3))})
        >>> loss = ClassifierReuseDistillation("top", "conv")
        >>> float(loss(teacher, student)[0])
        0.0
        >>> body, teacher_head = layers.Conv2D(3, 3), layers.Dense(5)
        >>> pool = layers.GlobalAveragePooling2D()
        >>> model = keras.Sequential([body, loss.projectors[0], pool, teacher_head])
        >>> tuple(model(ops.ones((1, 4, 4, 1))).shape)
        (1, 5)
    """

    def __init__(self, teacher_layers, student_layers, reduction=2, *, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        check_positive("ClassifierReuseDistillation", "reduction", reduction)
        self.reduction = reduction
        self.projectors = []

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        shapes = maps.matching_map_shapes(self, teacher_shapes, student_shapes)
        for teacher, student in shapes:
            width = max(int(teacher[-1] // self.reduction), 1)
            projector = maps.stack(
                *_step(width, 1), *_step(width, 3), *_step(teacher[-1], 1)
            )
            projector.build((None, None, None, student[-1]))
            self.projectors.append(projector)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`, summed over the pairs."""
        total = 0.0
        pairs = self.pairs(teacher.features, student.features)
        for projector, pair in zip(self.projectors, pairs, strict=True):
            ours, theirs = maps.match_heights(*pair)
            total = total + projected_feature_gap(ours, projector(theirs))
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "reduction": self.reduction}


def _step(channels, kernel_size):
    return (
        maps.convolution(channels, kernel_size),
        layers.BatchNormalization(**maps.BATCH_NORM, dtype="float32"),
        layers.ReLU(dtype="float32"),
    )

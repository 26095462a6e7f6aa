"""Scale-decoupled distillation (SDD): the classes of every region of the image."""

import keras
from keras import ops

from keras_kd._checks import check_positive, invalid
from keras_kd.losses.epochs import check_count
from keras_kd.losses.labels import class_numbers
from keras_kd.losses.logits.curriculum_temperature import decoupled_weights
from keras_kd.losses.logits.decoupled import decoupled_divergence
from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.losses.maps import adaptive_average_pool, map_shapes
from keras_kd.losses.pairs import LayerPairLoss


def scale_decoupled_divergence(
    teacher_logits, student_logits, labels, *, temperature=4.0, decoupled=None
):
    """Divergence per region, twice where the teacher's region and image disagree.

    A region counts double if exactly one of the teacher's decisions, on the region and
    on the whole image, is the label.

    Args:
        teacher_logits: float `(batch, regions, num_classes)`, before softmax, the whole
            image first; a constant.
        student_logits: same shape.
        labels: integers `(batch,)` or `(batch, 1)`, or one-hot rows.
        temperature: float > 0. Default 4.0.
        decoupled: None for Hinton's divergence, or `(alpha, beta)` for the decoupled
            one, see `DecoupledDistillation`.

    Returns:
        Float32 `(batch,)`, the mean over regions, scaled by temperature².

    Raises:
        ValueError: `labels` is None or has another shape.

    Reference:
        Wei et al., "Scaled Decoupled Distillation", CVPR 2024,
        https://arxiv.org/abs/2403.13512.
        Departures: none.

    Example:
        >>> teacher, student = [[[2.0, 0.0], [0.0, 2.0]]], [[[0.0, 0.0], [0.0, 0.0]]]
        >>> value = scale_decoupled_divergence(teacher, student, [0], temperature=2.0)
        >>> round(float(value[0]), 3)
        0.666
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    regions, num_classes = student_logits.shape[1:]
    classes = class_numbers(labels, num_classes, "ScaleDecoupledDistillation")
    if decoupled is None:
        values = soft_target_divergence(
            teacher_logits, student_logits, temperature=temperature
        )
    else:
        alpha, beta = decoupled
        values = decoupled_divergence(
            ops.reshape(teacher_logits, (-1, num_classes)),
            ops.reshape(student_logits, (-1, num_classes)),
            ops.repeat(classes, regions),
            alpha=alpha,
            beta=beta,
            temperature=temperature,
        )
        values = ops.reshape(values, (-1, regions))
    decisions = ops.cast(ops.argmax(teacher_logits, axis=-1), "int32")
    is_right = ops.equal(decisions, ops.expand_dims(classes, axis=-1))
    disagree = ops.not_equal(is_right, is_right[:, :1])
    return ops.mean(ops.where(disagree, 2.0, 1.0) * values, axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class ScaleDecoupledDistillation(LayerPairLoss):
    """The student learns the teacher's classes of the image and of its parts.

    The layers give maps of class scores: those of a convolution of size 1 before the
    global pooling, in models that have such a head. Regions are s x s parts of the map
    for every scale s; a linear head scores the mean of a region as it scores its mean.

    Args:
        teacher_layers: path of the teacher's map of class scores, or a list of them.
        student_layers: as many of the student's.
        temperature: float > 0. Default 4.0.
        scales: ints > 0, the first of them 1, the whole image. Default (1, 2, 4).
        decoupled: None or `(alpha, beta)`, see `scale_decoupled_divergence`.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: A number is out of its range; the layers give no maps of fixed size,
            or of different classes; there are no labels.

    Reference:
        Wei et al., "Scaled Decoupled Distillation", CVPR 2024,
        https://arxiv.org/abs/2403.13512.
        Departures: none in the loss; the authors pool features and then apply the head,
        which is the same.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.zeros((1, 2)), {"map": ops.ones((1, 4, 4, 2))})
        >>> student = ModelOutputs(ops.zeros((1, 2)), {"map": ops.zeros((1, 2, 2, 2))})
        >>> loss = ScaleDecoupledDistillation("map", "map")
        >>> float(loss(teacher, student, ops.array([1]))[0])
        0.0
    """

    def __init__(
        self,
        teacher_layers,
        student_layers,
        *,
        temperature=4.0,
        scales=(1, 2, 4),
        decoupled=None,
        name=None,
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        where = "ScaleDecoupledDistillation"
        check_positive(where, "temperature", temperature)
        for scale in scales:
            check_count(where, "scales", scale)
        if not scales or scales[0] != 1:
            raise invalid(
                where,
                "`scales` to begin with 1, the whole image",
                tuple(scales),
                "Put 1 first, as in (1, 2, 4).",
            )
        self.temperature = temperature
        self.scales = tuple(scales)
        self.decoupled = decoupled_weights(where, decoupled)

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        pairs = map_shapes(self, teacher_shapes, student_shapes)
        for number, (teacher, student) in enumerate(pairs):
            if teacher[-1] != student[-1]:
                fix = "Name maps of scores of the same classes."
                raise self.pair_error(number, "the classes", teacher, student, fix)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`, summed over pairs. Needs labels."""
        return sum(
            scale_decoupled_divergence(
                _regions(teacher_map, self.scales),
                _regions(student_map, self.scales),
                labels,
                temperature=self.temperature,
                decoupled=self.decoupled,
            )
            for teacher_map, student_map in self.pairs(
                teacher.features, student.features
            )
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "scales": list(self.scales),
            "decoupled": None if self.decoupled is None else list(self.decoupled),
        }


def _regions(maps, scales):
    """The mean of each part of a map, `(batch, regions, channels)`."""
    maps = ops.cast(maps, "float32")
    parts = [
        ops.reshape(
            adaptive_average_pool(maps, scale, scale), (-1, scale**2, maps.shape[-1])
        )
        for scale in scales
    ]
    return ops.concatenate(parts, axis=1)

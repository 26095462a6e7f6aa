"""Distillation of the last representation through a normalised linear projector."""

import keras
from keras import layers, ops

from keras_kd._checks import check_positive, invalid, is_number
from keras_kd.losses import maps
from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.losses.pairs import LayerPairLoss

# Keeps the logarithm finite where the embeddings are equal.
_LEAST_SUM = 1e-30


def representation_gap(teacher_embeddings, student_embeddings, *, exponent=4.0):
    """Logarithm of the summed powers of the embeddings' differences.

    Args:
        teacher_embeddings: float `(batch, dimensions)`; a constant.
        student_embeddings: same shape.
        exponent: float >= 1; high ones look at the largest differences only.

    Returns:
        Float32 scalar, 2 · ln Σ |e_t - e_s|^exponent over batch and dimensions, which
        is negative for near embeddings: the sum stands inside the logarithm.

    Reference:
        Miles and Mikolajczyk, "Understanding the Role of the Projector in Knowledge
        Distillation", AAAI 2024, https://arxiv.org/abs/2303.11098.
        Departures: the sum is at least 1e-30, where equal embeddings give -infinity.

    Example:
        >>> gap = representation_gap([[2.0, 1.0]], [[1.0, 1.0]])
        >>> float(gap)
        0.0
    """
    teacher_embeddings = ops.stop_gradient(ops.cast(teacher_embeddings, "float32"))
    gap = teacher_embeddings - ops.cast(student_embeddings, "float32")
    powers = ops.sum(ops.power(ops.abs(gap), exponent))
    return 2.0 * ops.log(ops.maximum(powers, _LEAST_SUM))


@keras.saving.register_keras_serializable(package="keras_kd")
class RepresentationDistillation(LayerPairLoss):
    """The student's last representation, projected, follows the teacher's (SRD).

    L = 2 · ln Σ |N(e_t) - N(W e_s + b)|^a + KL(p_t ‖ p_s), where e is the mean over the
    positions of a layer's output and N standardises over the batch without scale and
    offset. W and b train with the student. The divergence of the softened classes
    belongs to the loss: add no `SoftTargetDistillation`.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give
            `(batch, ..., channels)`: a map or a vector; the authors take the last map.
        student_layers: as many of the student's, of any width and size.
        exponent: float >= 1. Default 4.0.
        temperature: float > 0, of the softened classes. Default 1.0.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `exponent` is below 1 or `temperature` not above 0; teacher and
            student score different classes; a layer's width is unknown.

    Reference:
        Miles and Mikolajczyk, "Understanding the Role of the Projector in Knowledge
        Distillation", AAAI 2024, https://arxiv.org/abs/2303.11098.
        Departures: see `representation_gap`; the divergence is not scaled by
        temperature², as in the published code. A batch of one example, which has no
        deviation, gives no gradient to its representation.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 5)), {"block": ops.ones((2, 4, 4, 8))})
        >>> student = ModelOutputs(ops.ones((2, 5)), {"pool": ops.ones((2, 3))})
        >>> loss = RepresentationDistillation("block", "pool")
        >>> loss(teacher, student).shape == ()
        True
    """

    compares_examples = True

    def __init__(
        self,
        teacher_layers,
        student_layers,
        exponent=4.0,
        temperature=1.0,
        *,
        name=None,
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        if not is_number(exponent) or exponent < 1:
            raise invalid(
                "RepresentationDistillation",
                "`exponent` to be a number of at least 1",
                repr(exponent),
                "Choose 4, as published.",
            )
        check_positive("RepresentationDistillation", "temperature", temperature)
        self.exponent = exponent
        self.temperature = temperature
        self.projectors, self.teacher_norms = [], []

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        shapes = self.pairs(teacher_shapes.features, student_shapes.features)
        for number, (teacher, student) in enumerate(shapes):
            if teacher[-1] is None or student[-1] is None:
                raise self.pair_error(
                    number,
                    "a known number of channels, like that",
                    teacher,
                    student,
                    "Choose layers whose last axis has a fixed size.",
                )
            dense = layers.Dense(teacher[-1], dtype="float32")
            projector = maps.stack(dense, _standardisation())
            projector.build((None, student[-1]))
            norm = _standardisation()
            norm.build((None, teacher[-1]))
            self.projectors.append(projector)
            self.teacher_norms.append(norm)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; a scalar, summed over the pairs."""
        divergence = soft_target_divergence(
            teacher.logits, student.logits, temperature=self.temperature
        )
        total = ops.mean(divergence) / self.temperature**2
        pairs = self.pairs(teacher.features, student.features)
        for number, (ours, theirs) in enumerate(pairs):
            total = total + representation_gap(
                self.teacher_norms[number](_embedding(ours)),
                self.projectors[number](_embedding(theirs)),
                exponent=self.exponent,
            )
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "exponent": self.exponent,
            "temperature": self.temperature,
        }


def _standardisation():
    return layers.BatchNormalization(
        center=False, scale=False, epsilon=1e-4, momentum=0.9, dtype="float32"
    )


def _embedding(features):
    """The mean over positions, `(batch, channels)`."""
    shape = (ops.shape(features)[0], -1, features.shape[-1])
    return ops.mean(ops.reshape(features, shape), axis=1)

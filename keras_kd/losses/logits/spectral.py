"""Streamlined knowledge distillation (SKD): the directions of a batch's logits."""

import keras
from keras import ops

from keras_kd._checks import check_positive
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.norms import l2_normalise


def direction_divergence(teacher_logits, student_logits, *, tikhonov=0.1):
    """Mahalanobis length of the gap between two matrices of cosine similarities.

    G = cosines between the logits of all examples of the batch, D = G_s - G_t, Σ = the
    covariance of D's rows; L = mean over rows i of √(D_i (Σ + tikhonov · I)⁻¹ D_iᵀ).

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        tikhonov: float > 0, added to the diagonal so that it can be inverted. Default
            0.1.

    Returns:
        Float32 scalar, at least 0; 0 for a batch of one example.

    Reference:
        Jeong et al., "Streamlined Knowledge Distillation", CVPR 2026,
        https://cvpr.thecvf.com/virtual/2026/poster/39253 (its direction-wise term).
        Departures: as torchdistill has it: the authors' code also divides G by the
        number of classes, and multiplies the loss by the fraction of classes whose
        summed probability is below its median. Of a batch of one, where theirs is NaN,
        the loss is 0; where D_i is 0 its gradient is 0.

    Example:
        >>> teacher, student = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]
        >>> round(float(direction_divergence(teacher, student)), 3)
        2.335
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    gap = _cosines(student_logits) - _cosines(teacher_logits)
    batch_size = ops.shape(gap)[0]
    centred = gap - ops.mean(gap, axis=1, keepdims=True)
    # One example leaves no freedom, and a gap of 0: any divisor will do.
    freedom = ops.cast(ops.maximum(batch_size - 1, 1), "float32")
    covariance = ops.matmul(centred, ops.transpose(centred)) / freedom
    number = ops.arange(batch_size)
    is_diagonal = ops.equal(ops.expand_dims(number, 0), ops.expand_dims(number, 1))
    diagonal = tikhonov * ops.cast(is_diagonal, "float32")
    root = ops.cholesky(covariance + diagonal)
    # |R⁻¹ D_i|² is the form in the inverse, and cannot round to below 0.
    whitened = ops.solve_triangular(root, ops.transpose(gap), lower=True)
    squared = ops.sum(ops.square(whitened), axis=0)
    is_zero = ops.equal(squared, 0.0)
    lengths = ops.sqrt(ops.where(is_zero, 1.0, squared))
    return ops.mean(ops.where(is_zero, 0.0, lengths))


@keras.saving.register_keras_serializable(package="keras_kd")
class SpectralDistillation(DistillationLoss):
    """The student learns which examples of a batch point the same way.

    This is the term that Streamlined Knowledge Distillation (SKD) adds to Hinton's
    loss; use it beside `SoftTargetDistillation(4.0)`, both with the same weight.

    Args:
        tikhonov: float > 0, see `direction_divergence`. Default 0.1.
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 1.0, with an `alpha` of 0.1 for the hard labels.

    Raises:
        ValueError: `tikhonov` is not above 0; teacher and student score different
            classes.

    Reference:
        Jeong et al., "Streamlined Knowledge Distillation", CVPR 2026,
        https://cvpr.thecvf.com/virtual/2026/poster/39253 (its direction-wise term).
        Departures: see `direction_divergence`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[1.0, 0.0], [0.0, 1.0]]))
        >>> student = ModelOutputs(ops.array([[1.0, 0.0], [1.0, 0.0]]))
        >>> round(float(SpectralDistillation()(teacher, student)), 3)
        2.335
    """

    compares_examples = True

    def __init__(self, tikhonov=0.1, *, name=None):
        super().__init__(name=name)
        check_positive("SpectralDistillation", "tikhonov", tikhonov)
        self.tikhonov = tikhonov

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; a scalar."""
        return direction_divergence(
            teacher.logits, student.logits, tikhonov=self.tikhonov
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "tikhonov": self.tikhonov}


def _cosines(logits):
    directions = l2_normalise(logits)
    return ops.matmul(directions, ops.transpose(directions))

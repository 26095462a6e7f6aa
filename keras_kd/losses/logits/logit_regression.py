"""Regression on logits: the student learns the teacher's scores themselves."""

import keras
from keras import ops

from keras_kd.losses.base import DistillationLoss


def logit_regression_divergence(teacher_logits, student_logits):
    """Mean over classes of the squared difference of the logits.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.

    Returns:
        Float32 `(batch,)`, at least 0, in squared units of the logits.

    Reference:
        Ba & Caruana, "Do Deep Nets Really Need to be Deep?", NeurIPS 2014,
        https://arxiv.org/abs/1312.6184.
        Departures: the mean over classes, where the paper writes half the sum.

    Example:
        >>> float(logit_regression_divergence([[2.0, 0.0]], [[0.0, 0.0]])[0])
        2.0
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    return ops.mean(ops.square(student_logits - teacher_logits), axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class LogitRegressionDistillation(DistillationLoss):
    """The student learns the teacher's logits by least squares.

    L = mean over classes of (z_s - z_t)². Unlike the softmax losses it also fixes the
    size of the logits and their common offset; it is the limit of soft targets at a
    high temperature. It suits outputs of a regression as well.

    Args:
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: Teacher and student differ in classes.

    Reference:
        Ba & Caruana, "Do Deep Nets Really Need to be Deep?", NeurIPS 2014,
        https://arxiv.org/abs/1312.6184.
        Departures: see `logit_regression_divergence`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[2.0, 0.0]]))
        >>> student = ModelOutputs(ops.array([[0.0, 0.0]]))
        >>> float(LogitRegressionDistillation()(teacher, student)[0])
        2.0
    """

    takes_positions = True

    def __init__(self, *, name=None):
        super().__init__(name=name)

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch, ...)`."""
        return logit_regression_divergence(teacher.logits, student.logits)

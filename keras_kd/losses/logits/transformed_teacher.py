"""Transformed teacher matching (TTM, WTTM): only the teacher is softened."""

import keras
from keras import ops

from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.labels import check_several_classes


def transformed_teacher_divergence(
    teacher_logits, student_logits, *, temperature, weighted=False
):
    """Divergence of the student's own classes from the teacher's softened ones.

    L = U · KL(softmax(t / T) ‖ softmax(s)), U = 1, or with `weighted` the power sum
    Σ_c p_t(c)^(1/T), which is large where the teacher is unsure.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        temperature: float > 0, of the teacher alone; 1 / T is the exponent γ of the
            paper. 2 to 10 is usual.
        weighted: bool, whether unsure examples count more (WTTM). Default False.

    Returns:
        Float32 `(batch,)`, at least 0; not scaled by temperature².

    Reference:
        Zheng & Yang, "Knowledge Distillation Based on Transformed Teacher Matching",
        ICLR 2024, https://arxiv.org/abs/2402.11148.
        Departures: softmax(t / T) is computed directly, where the authors raise
        probabilities to a power and lose those that underflow.

    Example:
        >>> value = transformed_teacher_divergence(
        ...     [[2.0, 0.0]], [[0.0, 0.0]], temperature=2.0
        ... )
        >>> round(float(value[0]), 3)
        0.111
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    teacher_log = ops.log_softmax(teacher_logits / temperature, axis=-1)
    gap = teacher_log - ops.log_softmax(student_logits, axis=-1)
    divergence = ops.sum(ops.exp(teacher_log) * gap, axis=-1)
    if not weighted:
        return divergence
    powers = ops.log_softmax(teacher_logits, axis=-1) / temperature
    return ops.sum(ops.exp(powers), axis=-1) * divergence


@keras.saving.register_keras_serializable(package="keras_kd")
class TransformedTeacherDistillation(DistillationLoss):
    """The student, unsoftened, learns the teacher's softened classes.

    Without a temperature of its own the student is also kept from being too sure.

    Args:
        temperature: float > 0, or a Keras `LearningRateSchedule`; softens the teacher.
            Default 10.0, the authors' γ = 0.1.
        weighted: bool; True gives examples on which the teacher is unsure more weight
            (WTTM). Default False (TTM).
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 45.0, of the authors' example for TTM; 4.0 with `weighted`, of
            theirs for WTTM beside CRD. Both beside a cross-entropy of weight 1.

    Raises:
        ValueError: `temperature` is not above 0; teacher and student score different
            classes, or only one.

    Reference:
        Zheng & Yang, "Knowledge Distillation Based on Transformed Teacher Matching",
        ICLR 2024, https://arxiv.org/abs/2402.11148.
        Departures: see `transformed_teacher_divergence`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[2.0, 0.0]]))
        >>> student = ModelOutputs(ops.array([[0.0, 0.0]]))
        >>> loss = TransformedTeacherDistillation(temperature=2.0)
        >>> round(float(loss(teacher, student)[0]), 3)
        0.111
    """

    published_weight = 45.0

    def __init__(self, temperature=10.0, *, weighted=False, name=None):
        super().__init__(name=name)
        schedules.check_schedule(
            "TransformedTeacherDistillation", "temperature", temperature
        )
        self.temperature = temperature
        self.weighted = bool(weighted)
        if weighted:
            self.published_weight = 4.0

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("TransformedTeacherDistillation", student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        return transformed_teacher_divergence(
            teacher.logits,
            student.logits,
            temperature=schedules.value_at(self.temperature, self.iterations),
            weighted=self.weighted,
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "temperature": schedules.to_config(self.temperature),
            "weighted": self.weighted,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})

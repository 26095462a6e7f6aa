"""Hinton's soft targets: the student learns the teacher's softened classes."""

import keras
from keras import ops

from keras_kd._checks import check_choice, invalid
from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss

DIVERGENCES = ("kl", "cross_entropy")


def soft_target_divergence(
    teacher_logits, student_logits, *, temperature, divergence="kl"
):
    """Divergence of the student's softened classes from the teacher's.

    Computed from log-softmax throughout, so that it is exact for logits of any size:
    no probability is clipped.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        temperature: float > 0; 2 to 5 is usual.
        divergence: "kl" for KL(p_t ‖ p_s), or "cross_entropy", which adds the teacher's
            entropy and has the same gradient.

    Returns:
        Float32 `(batch,)`, scaled by temperature²; at least 0.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Hinton et al., 2015, https://arxiv.org/abs/1503.02531.
        Departures: none.

    Example:
        >>> value = soft_target_divergence([[2.0, 0.0]], [[0.0, 0.0]], temperature=2.0)
        >>> round(float(value[0]), 3)
        0.444
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    if teacher_logits.shape[1:] != student_logits.shape[1:]:
        raise invalid(
            "soft_target_divergence",
            f"student_logits of shape {tuple(teacher_logits.shape)} like the teacher's",
            tuple(student_logits.shape),
            "Give both models the same classes.",
        )
    teacher_log = ops.log_softmax(teacher_logits / temperature, axis=-1)
    student_log = ops.log_softmax(student_logits / temperature, axis=-1)
    gap = -student_log if divergence == "cross_entropy" else teacher_log - student_log
    return temperature**2 * ops.sum(ops.exp(teacher_log) * gap, axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class SoftTargetDistillation(DistillationLoss):
    """The student learns the teacher's classes, softened by a temperature.

    L = T² · KL(p_t ‖ p_s) with p = softmax(logits / T); T² keeps the gradient's size
    when T changes.

    Args:
        temperature: float > 0, or a Keras `LearningRateSchedule` of the step; higher
            shows more of what the teacher knows about the wrong classes. Default 4.0.
        divergence: "kl" or "cross_entropy"; same gradient, another zero.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `temperature` is not above 0; `divergence` is neither; teacher and
            student score different classes, or only one.

    Reference:
        Hinton et al., 2015, https://arxiv.org/abs/1503.02531.
        Departures: none.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[2.0, 0.0]]))
        >>> student = ModelOutputs(ops.array([[0.0, 0.0]]))
        >>> value = SoftTargetDistillation(temperature=2.0)(teacher, student)
        >>> round(float(value[0]), 3)
        0.444
    """

    takes_positions = True

    def __init__(self, temperature=4.0, divergence="kl", *, name=None):
        super().__init__(name=name)
        schedules.check_schedule("SoftTargetDistillation", "temperature", temperature)
        check_choice("SoftTargetDistillation", "divergence", divergence, DIVERGENCES)
        self.temperature = temperature
        self.divergence = divergence

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        if student_shapes.logits[-1] == 1:
            raise invalid(
                "SoftTargetDistillation",
                "at least 2 classes for a softmax",
                "logits of 1 unit",
                "Use MultiLabelDistillation for a head of one sigmoid unit.",
            )

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch, ...)`."""
        return soft_target_divergence(
            teacher.logits,
            student.logits,
            temperature=schedules.value_at(self.temperature, self.iterations),
            divergence=self.divergence,
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "temperature": schedules.to_config(self.temperature),
            "divergence": self.divergence,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})

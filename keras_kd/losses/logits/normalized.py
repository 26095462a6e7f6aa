"""Normalized knowledge distillation (NKD): the other classes, brought to one sum."""

import keras
from keras import ops

from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.labels import (
    at_true_class,
    check_several_classes,
    class_numbers,
    without_true_class,
)
from keras_kd.losses.weights import check_weights


def normalized_divergence(
    teacher_logits, student_logits, labels, *, gamma=1.5, temperature=1.0
):
    """Cross-entropy on the true class, plus that among the other classes.

    L = -p_y · log q_y - γ · T² · Σ over c ≠ y of p̂_c · log q̂_c, with the teacher's p
    and the student's q, and p̂, q̂ the softmaxes over the other classes at T. As a
    cross-entropy it is not 0 where the student equals the teacher.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        labels: integers `(batch,)` or `(batch, 1)`, or one-hot rows; of soft labels the
            largest counts.
        gamma: float >= 0, weight of the other classes. Default 1.5.
        temperature: float > 0, of the other classes alone. Default 1.0.

    Returns:
        Float32 `(batch,)`, at least 0.

    Raises:
        ValueError: `labels` is None or has another shape.

    Reference:
        Yang et al., "From Knowledge Distillation to Self-Knowledge Distillation: A
        Unified Approach with Normalized Loss and Customized Soft Labels", ICCV 2023,
        https://arxiv.org/abs/2303.13005.
        Departures: none.

    Example:
        >>> value = normalized_divergence([[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]], [0])
        >>> round(float(value[0]), 3)
        1.406
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    classes = class_numbers(labels, student_logits.shape[-1], "NormalizedDistillation")
    true_class = -at_true_class(ops.softmax(teacher_logits, axis=-1), classes)
    true_class *= at_true_class(ops.log_softmax(student_logits, axis=-1), classes)
    teacher_others = without_true_class(teacher_logits / temperature, classes)
    student_others = without_true_class(student_logits / temperature, classes)
    others = -ops.sum(
        ops.softmax(teacher_others, axis=-1) * ops.log_softmax(student_others, axis=-1),
        axis=-1,
    )
    return true_class + gamma * temperature**2 * others


@keras.saving.register_keras_serializable(package="keras_kd")
class NormalizedDistillation(DistillationLoss):
    """The student learns the teacher's true class, and the others as one distribution.

    Args:
        gamma: float >= 0, weight of the other classes. Default 1.5.
        temperature: float > 0, or a Keras `LearningRateSchedule`; of the other classes
            alone. Default 1.0.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `temperature` is not above 0; `gamma` is below 0; teacher and
            student score different classes, or only one; there are no labels.

    Reference:
        Yang et al., "From Knowledge Distillation to Self-Knowledge Distillation: A
        Unified Approach with Normalized Loss and Customized Soft Labels", ICCV 2023,
        https://arxiv.org/abs/2303.13005.
        Departures: none.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> same = ModelOutputs(ops.zeros((1, 3)))
        >>> round(float(NormalizedDistillation()(same, same, ops.array([0]))[0]), 3)
        1.406
    """

    def __init__(self, gamma=1.5, temperature=1.0, *, name=None):
        super().__init__(name=name)
        check_weights("NormalizedDistillation", gamma=gamma)
        schedules.check_schedule("NormalizedDistillation", "temperature", temperature)
        self.gamma = gamma
        self.temperature = temperature

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("NormalizedDistillation", student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`. Needs labels."""
        return normalized_divergence(
            teacher.logits,
            student.logits,
            labels,
            gamma=self.gamma,
            temperature=schedules.value_at(self.temperature, self.iterations),
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "gamma": self.gamma,
            "temperature": schedules.to_config(self.temperature),
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})

"""Soft targets for independent yes/no labels: sigmoid heads."""

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss


def multi_label_divergence(teacher_logits, student_logits, *, temperature=1.0):
    """Sum over labels of the divergence between two coin flips.

    Args:
        teacher_logits: float `(batch, num_labels)`, before sigmoid; a constant.
        student_logits: same shape.
        temperature: float > 0.

    Returns:
        Float32 `(batch,)`, at least 0, scaled by temperature².

    Raises:
        ValueError: The shapes differ.

    Reference:
        Yang et al., "Multi-Label Knowledge Distillation", ICCV 2023,
        https://arxiv.org/abs/2308.06453 (its MLD term).
        Departures: computed from log-sigmoid, where the authors clip probabilities to
        [1e-8, 1 - 1e-8]; the temperature, 1 in the paper.

    Example:
        >>> round(float(multi_label_divergence([[0.0]], [[1.0]])[0]), 3)
        0.12
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    if teacher_logits.shape[1:] != student_logits.shape[1:]:
        raise invalid(
            "multi_label_divergence",
            f"student_logits of shape {tuple(teacher_logits.shape)} like the teacher's",
            tuple(student_logits.shape),
            "Give both models the same labels.",
        )
    teacher_scaled = teacher_logits / temperature
    student_scaled = student_logits / temperature
    yes = ops.log_sigmoid(teacher_scaled) - ops.log_sigmoid(student_scaled)
    no = ops.log_sigmoid(-teacher_scaled) - ops.log_sigmoid(-student_scaled)
    per_label = ops.sigmoid(teacher_scaled) * yes + ops.sigmoid(-teacher_scaled) * no
    return temperature**2 * ops.sum(per_label, axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class MultiLabelDistillation(DistillationLoss):
    """The student learns the teacher's probability of each label, taken alone.

    For heads that end in a sigmoid: several labels at once, or one yes/no unit.

    Args:
        temperature: float > 0, or a Keras `LearningRateSchedule`. Default 1.0, the
            paper's.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `temperature` is not above 0; teacher and student differ in labels.

    Reference:
        Yang et al., "Multi-Label Knowledge Distillation", ICCV 2023,
        https://arxiv.org/abs/2308.06453 (its MLD term).
        Departures: see `multi_label_divergence`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[0.0]]))
        >>> student = ModelOutputs(ops.array([[1.0]]))
        >>> round(float(MultiLabelDistillation()(teacher, student)[0]), 3)
        0.12
    """

    takes_positions = True

    def __init__(self, temperature=1.0, *, name=None):
        super().__init__(name=name)
        schedules.check_schedule("MultiLabelDistillation", "temperature", temperature)
        self.temperature = temperature

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch, ...)`."""
        return multi_label_divergence(
            teacher.logits,
            student.logits,
            temperature=schedules.value_at(self.temperature, self.iterations),
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        temperature = schedules.to_config(self.temperature)
        return {**super().get_config(), "temperature": temperature}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})

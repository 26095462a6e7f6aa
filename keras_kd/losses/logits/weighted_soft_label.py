"""Weighted soft labels (WSLD): less teaching where the student is ahead."""

import keras
from keras import ops

from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.labels import at_true_class, check_several_classes, class_numbers
from keras_kd.losses.logits.soft_target import soft_target_divergence

# Added to the teacher's cross-entropy, as the authors do.
_EPSILON = 1e-7


def weighted_soft_label_divergence(
    teacher_logits, student_logits, labels, *, temperature=2.0
):
    """Cross-entropy with the teacher, weighted by how far the student is behind.

    L = T² · w · (-Σ p_t · log p_s) with p = softmax(logits / T) and
    w = 1 - exp(-CE_s / CE_t), a constant, from the cross-entropies of student and
    teacher with the true class at T = 1.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        labels: integers `(batch,)` or `(batch, 1)`, or one-hot rows.
        temperature: float > 0; the authors' is 2.0 for ImageNet, 4.0 for CIFAR-100.

    Returns:
        Float32 `(batch,)`, at least 0, scaled by temperature².

    Raises:
        ValueError: `labels` is None or has another shape.

    Reference:
        Zhou et al., "Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance
        Tradeoff Perspective", ICLR 2021, https://arxiv.org/abs/2102.00650.
        Departures: none.

    Example:
        >>> value = weighted_soft_label_divergence([[0.0, 0.0]], [[0.0, 0.0]], [0])
        >>> round(float(value[0]), 3)
        1.753
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    classes = class_numbers(
        labels, student_logits.shape[-1], "WeightedSoftLabelDistillation"
    )
    lag = _cross_entropy(student_logits, classes) / (
        _cross_entropy(teacher_logits, classes) + _EPSILON
    )
    weight = ops.stop_gradient(1.0 - ops.exp(-ops.maximum(lag, 0.0)))
    return weight * soft_target_divergence(
        teacher_logits,
        student_logits,
        temperature=temperature,
        divergence="cross_entropy",
    )


@keras.saving.register_keras_serializable(package="keras_kd")
class WeightedSoftLabelDistillation(DistillationLoss):
    """The student learns from the teacher most where it is behind the teacher.

    Args:
        temperature: float > 0, or a Keras `LearningRateSchedule`. Default 2.0, the
            authors' for ImageNet; theirs for CIFAR-100 is 4.0.
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 2.5, of ImageNet, with 1.0 of the hard labels; of CIFAR-100
            it is 2.25.

    Raises:
        ValueError: `temperature` is not above 0; teacher and student score different
            classes, or only one; there are no labels.

    Reference:
        Zhou et al., "Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance
        Tradeoff Perspective", ICLR 2021, https://arxiv.org/abs/2102.00650.
        Departures: none.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> same = ModelOutputs(ops.zeros((1, 2)))
        >>> loss = WeightedSoftLabelDistillation()
        >>> round(float(loss(same, same, ops.array([0]))[0]), 3)
        1.753
    """

    published_weight = 2.5

    def __init__(self, temperature=2.0, *, name=None):
        super().__init__(name=name)
        where = "WeightedSoftLabelDistillation"
        schedules.check_schedule(where, "temperature", temperature)
        self.temperature = temperature

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("WeightedSoftLabelDistillation", student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`. Needs labels."""
        return weighted_soft_label_divergence(
            teacher.logits,
            student.logits,
            labels,
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


def _cross_entropy(logits, classes):
    log_probabilities = ops.log_softmax(logits, axis=-1)
    return -at_true_class(log_probabilities, classes)

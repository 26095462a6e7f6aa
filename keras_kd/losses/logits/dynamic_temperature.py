"""Dynamic temperature (DTKD): each example's temperatures even out the two models."""

import keras
from keras import ops

from keras_kd._checks import check_positive
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.epochs import check_count, epoch_at
from keras_kd.losses.labels import check_several_classes
from keras_kd.losses.logits.soft_target import soft_target_divergence

# Below this a largest logit is too near 0 to divide by.
_SMALLEST_LOGIT = 1e-3


def dynamic_temperature_divergence(
    teacher_logits, student_logits, *, temperature=4.0, alpha=3.0, beta=1.0
):
    """Divergence at temperatures that give both models the same largest logit.

    With m the largest logit of an example, T_t = 2 · m_t / (m_t + m_s) · T and T_s =
    2 · m_s / (m_t + m_s) · T; L = α · T_t · T_s · KL(p_t(T_t) ‖ p_s(T_s)) + β · L_KD,
    L_KD = T² · KL at the common T. The gradient passes through m_s into both.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        temperature: float > 0, the mean T of the two. Default 4.0.
        alpha: float >= 0, weight of the dynamic part. Default 3.0.
        beta: float >= 0, weight of Hinton's loss at `temperature`. Default 1.0.

    Returns:
        Float32 `(batch,)`, scaled by temperature². Where the largest logits differ in
        sign one temperature is negative, and so is the dynamic part.

    Reference:
        Wei & Bai, "Dynamic Temperature Knowledge Distillation", 2024,
        https://arxiv.org/abs/2404.12711.
        Departures: where a largest logit, or the sum of both, is within 0.001 of 0 the
        authors divide by almost 0; there both temperatures are T.

    Example:
        >>> value = dynamic_temperature_divergence([[4.0, 0.0]], [[2.0, 0.0]])
        >>> round(float(value[0]), 3)
        0.422
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    common = soft_target_divergence(
        teacher_logits, student_logits, temperature=temperature
    )
    teacher_share, student_share = _shares(
        ops.max(teacher_logits, axis=-1, keepdims=True),
        ops.max(student_logits, axis=-1, keepdims=True),
    )
    teacher_log = ops.log_softmax(
        teacher_logits / (teacher_share * temperature), axis=-1
    )
    student_log = ops.log_softmax(
        student_logits / (student_share * temperature), axis=-1
    )
    divergence = ops.sum(ops.exp(teacher_log) * (teacher_log - student_log), axis=-1)
    scale = temperature**2 * ops.squeeze(teacher_share * student_share, axis=-1)
    return alpha * scale * divergence + beta * common


@keras.saving.register_keras_serializable(package="keras_kd")
class DynamicTemperatureDistillation(DistillationLoss):
    """The surer of the two models is softened more, example by example.

    Args:
        steps_per_epoch: int > 0, batches in an epoch: the warm-up goes by epochs.
        temperature: float > 0, the mean temperature. Default 4.0.
        alpha: float >= 0, weight of the dynamic part. Default 3.0.
        beta: float >= 0, weight of Hinton's loss. Default 1.0.
        warmup_epochs: int > 0; the loss is multiplied by min(epoch / warmup_epochs, 1),
            with 1 for the first epoch. 1 is no warm-up. Default 20.
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 1.0, beside a cross-entropy of weight 1.

    Raises:
        ValueError: A number is out of its range; teacher and student score different
            classes, or only one.

    Reference:
        Wei & Bai, "Dynamic Temperature Knowledge Distillation", 2024,
        https://arxiv.org/abs/2404.12711.
        Departures: see `dynamic_temperature_divergence`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[4.0, 0.0]]))
        >>> student = ModelOutputs(ops.array([[2.0, 0.0]]))
        >>> loss = DynamicTemperatureDistillation(steps_per_epoch=100, warmup_epochs=1)
        >>> round(float(loss(teacher, student)[0]), 3)
        0.422
    """

    def __init__(
        self,
        steps_per_epoch,
        *,
        temperature=4.0,
        alpha=3.0,
        beta=1.0,
        warmup_epochs=20,
        name=None,
    ):
        super().__init__(name=name)
        where = "DynamicTemperatureDistillation"
        check_count(where, "steps_per_epoch", steps_per_epoch)
        check_positive(where, "temperature", temperature)
        check_count(where, "warmup_epochs", warmup_epochs)
        for key, weight in (("alpha", alpha), ("beta", beta)):
            if weight != 0:
                check_positive(where, key, weight)
        self.steps_per_epoch = steps_per_epoch
        self.temperature = temperature
        self.alpha = alpha
        self.beta = beta
        self.warmup_epochs = warmup_epochs

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("DynamicTemperatureDistillation", student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        epoch = epoch_at(self.iterations, self.steps_per_epoch)
        progress = ops.cast(epoch, "float32") / self.warmup_epochs
        return ops.minimum(progress, 1.0) * dynamic_temperature_divergence(
            teacher.logits,
            student.logits,
            temperature=self.temperature,
            alpha=self.alpha,
            beta=self.beta,
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "steps_per_epoch": self.steps_per_epoch,
            "temperature": self.temperature,
            "alpha": self.alpha,
            "beta": self.beta,
            "warmup_epochs": self.warmup_epochs,
        }


def _shares(teacher_max, student_max):
    """2 · m_t / (m_t + m_s) and 2 · m_s / (m_t + m_s); 1 where they are not defined."""
    total = teacher_max + student_max
    smallest = ops.minimum(ops.abs(teacher_max), ops.abs(student_max))
    smallest = ops.minimum(smallest, ops.abs(total))
    is_defined = smallest > _SMALLEST_LOGIT
    # 1 inside as well: the gradient of the branch not taken must be finite too.
    total = ops.where(is_defined, total, 1.0)
    return (
        ops.where(is_defined, 2.0 * teacher_max / total, 1.0),
        ops.where(is_defined, 2.0 * student_max / total, 1.0),
    )

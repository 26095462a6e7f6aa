"""Decoupled knowledge distillation (DKD): the true class and the others apart."""

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


def decoupled_divergence(
    teacher_logits, student_logits, labels, *, alpha=1.0, beta=8.0, temperature=4.0
):
    """Divergence on "true class or not", plus that among the other classes.

    L = T² · (α · TCKD + β · NCKD). TCKD = KL between [p_y, 1 - p_y] of teacher and
    student; NCKD = KL between their softmaxes over the other classes only. In Hinton's
    loss NCKD has the weight 1 - p_y, which a confident teacher makes tiny.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        labels: integers `(batch,)` or `(batch, 1)`, or one-hot rows.
        alpha: float >= 0, weight of the true class. Default 1.0.
        beta: float >= 0, weight of the other classes; 0.5 to 10 is usual. Default 8.0.
        temperature: float > 0, or a scalar tensor, which gets its gradient.

    Returns:
        Float32 `(batch,)`, at least 0, scaled by temperature².

    Raises:
        ValueError: `labels` is None or has another shape.

    Reference:
        Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022,
        https://arxiv.org/abs/2203.08679.
        Departures: the true class is left out of NCKD exactly and TCKD is computed
        from log-softmax, where the authors subtract 1000 from a logit and take the
        logarithm of a probability, infinite for gaps of the logits above 100 · T.

    Example:
        >>> value = decoupled_divergence([[2.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]], [0])
        >>> round(float(value[0]), 3)
        1.248
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    classes = class_numbers(labels, student_logits.shape[-1], "DecoupledDistillation")
    teacher_scaled = teacher_logits / temperature
    student_scaled = student_logits / temperature
    true_class = _kl(
        _true_or_not(teacher_scaled, classes), _true_or_not(student_scaled, classes)
    )
    others = _kl(
        ops.log_softmax(without_true_class(teacher_scaled, classes), axis=-1),
        ops.log_softmax(without_true_class(student_scaled, classes), axis=-1),
    )
    return temperature**2 * (alpha * true_class + beta * others)


@keras.saving.register_keras_serializable(package="keras_kd")
class DecoupledDistillation(DistillationLoss):
    """The student learns how sure the teacher is, and how it ranks the other classes.

    Args:
        alpha: float >= 0, weight of the true class against the rest. Default 1.0.
        beta: float >= 0, weight of what the teacher says about the other classes; the
            stronger and surer the teacher, the more. Default 8.0.
        temperature: float > 0, or a Keras `LearningRateSchedule`. Default 4.0.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `temperature` is not above 0; `alpha` or `beta` is below 0; teacher
            and student score different classes, or only one; there are no labels.

    Reference:
        Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022,
        https://arxiv.org/abs/2203.08679.
        Departures: see `decoupled_divergence`. The authors' warm-up over 20 epochs,
        min(epoch / 20, 1), is no part of the loss: give the distiller a schedule as its
        weight.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[2.0, 1.0, 0.0]]))
        >>> student = ModelOutputs(ops.array([[0.0, 0.0, 0.0]]))
        >>> loss = DecoupledDistillation()
        >>> round(float(loss(teacher, student, ops.array([0]))[0]), 3)
        1.248
    """

    def __init__(self, alpha=1.0, beta=8.0, temperature=4.0, *, name=None):
        super().__init__(name=name)
        check_weights("DecoupledDistillation", alpha=alpha, beta=beta)
        schedules.check_schedule("DecoupledDistillation", "temperature", temperature)
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("DecoupledDistillation", student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`. Needs labels."""
        return decoupled_divergence(
            teacher.logits,
            student.logits,
            labels,
            alpha=self.alpha,
            beta=self.beta,
            temperature=schedules.value_at(self.temperature, self.iterations),
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "beta": self.beta,
            "temperature": schedules.to_config(self.temperature),
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})


def _true_or_not(logits, classes):
    """Log-probabilities `(batch, 2)` of the true class and of all others together."""
    log_probabilities = ops.log_softmax(logits, axis=-1)
    others = ops.logsumexp(without_true_class(log_probabilities, classes), axis=-1)
    return ops.stack([at_true_class(log_probabilities, classes), others], axis=-1)


def _kl(teacher_log, student_log):
    return ops.sum(ops.exp(teacher_log) * (teacher_log - student_log), axis=-1)

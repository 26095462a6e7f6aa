"""Generalized Jensen-Shannon divergence: from forward to reverse KL."""

import math

import keras
from keras import ops

from keras_kd._checks import check_fraction
from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.labels import check_several_classes


def jensen_shannon_divergence(
    teacher_logits, student_logits, *, beta=0.5, temperature=1.0
):
    """Divergence of teacher and student from a mixture of both.

    L = β · KL(p_t ‖ m) + (1 - β) · KL(p_s ‖ m) with m = β · p_t + (1 - β) · p_s and
    p = softmax(logits / T), without T². At β = 0 it is KL(p_t ‖ p_s), at β = 1 the
    reverse KL(p_s ‖ p_t); the formula itself would be 0 there.

    Args:
        teacher_logits: float `(batch, ..., num_classes)`, before softmax; a constant.
        student_logits: same shape.
        beta: float in [0, 1], the teacher's part of the mixture. Default 0.5.
        temperature: float > 0. Default 1.0.

    Returns:
        Float32 `(batch, ...)`, at least 0: one value per example, or per position of
        a sequence.

    Reference:
        Agarwal et al., "On-Policy Distillation of Language Models", ICLR 2024,
        https://arxiv.org/abs/2306.13649. The reverse KL: Gu et al., "MiniLLM",
        ICLR 2024, https://arxiv.org/abs/2306.08543.
        Departures: none. To leave out positions, weight what this returns.

    Example:
        >>> value = jensen_shannon_divergence([[2.0, 0.0]], [[0.0, 0.0]])
        >>> round(float(value[0]), 3)
        0.09
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    teacher_log = ops.log_softmax(teacher_logits / temperature, axis=-1)
    student_log = ops.log_softmax(student_logits / temperature, axis=-1)
    if beta == 0:
        return _kl(teacher_log, student_log)
    if beta == 1:
        return _kl(student_log, teacher_log)
    parts = [teacher_log + math.log(beta), student_log + math.log1p(-beta)]
    # Not logaddexp: its gradient is wrong where both are equal.
    mixture_log = ops.logsumexp(ops.stack(parts), axis=0)
    forward, reverse = _kl(teacher_log, mixture_log), _kl(student_log, mixture_log)
    return beta * forward + (1.0 - beta) * reverse


@keras.saving.register_keras_serializable(package="keras_kd")
class JensenShannonDistillation(DistillationLoss):
    """The student meets the teacher half-way, or keeps to what the teacher is sure of.

    Towards β = 0 the student covers all that the teacher finds likely, as with soft
    targets; towards β = 1, the reverse KL, it avoids all that the teacher finds
    unlikely, which suits students too small to cover everything.

    Args:
        beta: float in [0, 1], the teacher's part of the mixture; 1.0 for the reverse
            KL. Default 0.5.
        temperature: float > 0, or a Keras `LearningRateSchedule`. Default 1.0.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `temperature` is not above 0; `beta` is outside [0, 1]; teacher and
            student score different classes, or only one.

    Reference:
        Agarwal et al., "On-Policy Distillation of Language Models", ICLR 2024,
        https://arxiv.org/abs/2306.13649. The reverse KL: Gu et al., "MiniLLM",
        ICLR 2024, https://arxiv.org/abs/2306.08543.
        Departures: it learns from the data it is given, where the papers also train on
        sequences that the student writes itself.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[2.0, 0.0]]))
        >>> student = ModelOutputs(ops.array([[0.0, 0.0]]))
        >>> round(float(JensenShannonDistillation()(teacher, student)[0]), 3)
        0.09
    """

    takes_positions = True

    def __init__(self, beta=0.5, temperature=1.0, *, name=None):
        super().__init__(name=name)
        check_fraction("JensenShannonDistillation", "beta", beta)
        where = "JensenShannonDistillation"
        schedules.check_schedule(where, "temperature", temperature)
        self.beta = beta
        self.temperature = temperature

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("JensenShannonDistillation", student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch, ...)`."""
        return jensen_shannon_divergence(
            teacher.logits,
            student.logits,
            beta=self.beta,
            temperature=schedules.value_at(self.temperature, self.iterations),
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "beta": self.beta,
            "temperature": schedules.to_config(self.temperature),
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})


def _kl(from_log, to_log):
    return ops.sum(ops.exp(from_log) * (from_log - to_log), axis=-1)

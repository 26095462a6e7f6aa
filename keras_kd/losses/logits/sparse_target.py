"""Soft targets from the teacher's few likeliest classes."""

import math

import keras
from keras import ops

from keras_kd._checks import check_choice, invalid
from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.epochs import check_count
from keras_kd.losses.logits.stored_target import (
    scatter_classes,
    soft_label_divergence,
    uniform_tail_target,
)

MISSING = ("uniform", "bucket", "renormalise")
# The rest of the mass is kept within [1e-8, 1 - 1e-8], for its logarithm.
_LEAST = 1e-8
# Far below any log-probability in float32, yet finite.
_NEVER = -1e30


def sparse_target_divergence(
    teacher_values,
    teacher_ids,
    student_logits,
    *,
    temperature=1.0,
    generation_temperature=1.0,
    missing="bucket",
):
    """Divergence of the student's classes from the few that the teacher was asked for.

    Args:
        teacher_values: float `(..., k)`, log-probabilities at `generation_temperature`;
            with "renormalise", logits will do; a constant.
        teacher_ids: int `(..., k)`, their classes.
        student_logits: float `(..., num_classes)`, before softmax, of all classes.
        temperature: float > 0. Default 1.0.
        generation_temperature: float > 0, at which the values were made. Default 1.0.
        missing: "bucket" compares all other classes as one; "renormalise" gives them
            no probability in the teacher.

    Returns:
        Float32 `(...)`, at least 0, scaled by temperature².

    Reference:
        Goddard, DistillKit, 2024, https://github.com/arcee-ai/DistillKit (its sparse KL
        loss; "symmetric_uniform" and "zero").
        Departures: the student's bucket is summed from its own classes, where theirs is
        1 minus the others and can be 0, its logarithm infinite.

    Example:
        >>> import math
        >>> values, ids = [[math.log(0.8)]], [[0]]
        >>> value = sparse_target_divergence(values, ids, [[0.0, 0.0]])
        >>> round(float(value[0]), 3)
        0.193
    """
    values = ops.stop_gradient(ops.cast(teacher_values, "float32"))
    ids = ops.cast(teacher_ids, "int32")
    student_logits = ops.cast(student_logits, "float32")
    student_log = ops.log_softmax(student_logits / temperature, axis=-1)
    exponent = generation_temperature / temperature
    if missing == "renormalise":
        teacher_log = ops.log_softmax(exponent * values, axis=-1)
    else:
        teacher_log = _at_exponent(values, exponent)
    gap = teacher_log - ops.take_along_axis(student_log, ids, axis=-1)
    divergence = ops.sum(ops.exp(teacher_log) * gap, axis=-1)
    if missing == "bucket":
        rest = 1.0 - ops.sum(ops.exp(teacher_log), axis=-1)
        rest = ops.clip(rest, _LEAST, 1.0 - _LEAST)
        divergence += rest * (ops.log(rest) - _log_rest(student_log, ids))
    return temperature**2 * divergence


@keras.saving.register_keras_serializable(package="keras_kd")
class SparseTargetDistillation(DistillationLoss):
    """The student learns the teacher's k likeliest classes, and little of the others.

    It shows what is lost by storing k probabilities instead of all, and leaves out the
    noise of the others where classes are many.

    Args:
        k: int > 0, how many of the teacher's classes are kept. Default 5.
        missing: what the teacher says of the others: "uniform", the default, spreads
            the rest evenly over them; "bucket" compares them as one class;
            "renormalise" gives them nothing.
        temperature: float > 0, or a Keras `LearningRateSchedule`, of both models.
            Default 1.0, the authors'.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `k` is no integer from 1 to the number of classes; `missing` is none
            of these; `temperature` is not above 0; teacher and student score different
            classes.

    Reference:
        "uniform": Shen & Xing, "A Fast Knowledge Distillation Framework for Visual
        Recognition", ECCV 2022, https://arxiv.org/abs/2112.01528. "bucket" and
        "renormalise": Goddard, DistillKit, https://github.com/arcee-ai/DistillKit.
        Departures: the teacher is asked anew in every step and truncated; with
        "uniform" the KL, of the same gradient as the authors' cross-entropy, and with a
        temperature the factor of temperature².

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[3.0, 0.0, 1.0]]))
        >>> student = ModelOutputs(ops.array([[0.0, 0.0, 0.0]]))
        >>> loss = SparseTargetDistillation(k=1)
        >>> round(float(loss(teacher, student)[0]), 3)
        0.557
    """

    def __init__(self, k=5, *, missing="uniform", temperature=1.0, name=None):
        super().__init__(name=name)
        check_count("SparseTargetDistillation", "k", k)
        check_choice("SparseTargetDistillation", "missing", missing, MISSING)
        schedules.check_schedule("SparseTargetDistillation", "temperature", temperature)
        self.k = k
        self.missing = missing
        self.temperature = temperature

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        num_classes = student_shapes.logits[-1]
        if num_classes <= self.k:
            raise invalid(
                "SparseTargetDistillation",
                f"more than the k = {self.k} classes that are kept",
                f"logits of {num_classes} classes",
                "Choose a smaller `k`, or SoftTargetDistillation, which keeps all.",
            )

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        temperature = schedules.value_at(self.temperature, self.iterations)
        teacher_log = ops.log_softmax(teacher.logits / temperature, axis=-1)
        values, ids = ops.top_k(teacher_log, self.k)
        if self.missing == "uniform":
            target = uniform_tail_target(
                ops.exp(values), ids, num_classes=student.logits.shape[-1]
            )
            return temperature**2 * soft_label_divergence(
                target, student.logits, temperature=temperature
            )
        return sparse_target_divergence(
            values,
            ids,
            student.logits,
            temperature=temperature,
            generation_temperature=temperature,
            missing=self.missing,
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "k": self.k,
            "missing": self.missing,
            "temperature": schedules.to_config(self.temperature),
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})


def _at_exponent(values, exponent):
    """Log-probabilities raised to a power, normalised with the rest of the mass."""
    rest = ops.clip(1.0 - ops.sum(ops.exp(values), axis=-1, keepdims=True), 0.0, 1.0)
    powers = exponent * values
    total = ops.sum(ops.exp(powers), axis=-1, keepdims=True) + rest**exponent
    return powers - ops.log(total)


def _log_rest(student_log, ids):
    """The logarithm of the student's mass outside the teacher's classes."""
    is_seen = scatter_classes(
        ops.ones_like(ids, dtype="float32"), ids, student_log.shape[-1]
    )
    others = ops.where(is_seen > 0.0, _NEVER, student_log)
    log_rest = ops.logsumexp(others, axis=-1)
    return ops.clip(log_rest, math.log(_LEAST), math.log1p(-_LEAST))

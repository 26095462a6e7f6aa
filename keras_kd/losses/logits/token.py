"""Soft targets for language models: the vocabulary at each position of a text."""

import keras
from keras import ops

from keras_kd._checks import invalid, is_number
from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.logits.soft_target import soft_target_divergence


def mean_over_kept(values, kept, *, total=None):
    """Sums per example, scaled so that their mean is the mean over all kept positions.

    Each kept position of the batch counts the same, however many its example has.

    Args:
        values: float `(batch, ...)`, one value per position.
        kept: bool, same shape.
        total: what the sum over the batch is divided by; None for the number of
            positions kept.

    Returns:
        Float32 `(batch,)`; 0 where nothing is kept.

    Example:
        >>> values, kept = [[1.0, 2.0], [6.0, 9.0]], [[True, True], [True, False]]
        >>> ops.convert_to_numpy(mean_over_kept(values, kept)).tolist()
        [2.0, 4.0]
    """
    values = ops.cast(values, "float32")
    kept = ops.cast(kept, "bool")
    axes = tuple(range(1, len(values.shape)))
    sums = ops.sum(ops.where(kept, values, 0.0), axis=axes)
    if total is None:
        total = ops.maximum(ops.sum(ops.cast(kept, "float32")), 1.0)
    return sums * ops.cast(ops.shape(values)[0], "float32") / total


def positions_like(labels, values, where, fix):
    """Labels of one integer per position.

    Args:
        labels: integers of the shape of `values`, or with a last axis of 1.
        values: float `(batch, ...)`, one per position.
        where: str, the class that needs the labels, for the error.
        fix: str, one sentence, for the error.

    Returns:
        Int32, of the shape of `values`.

    Raises:
        ValueError: The shapes differ, or `labels` is None.

    Example:
        >>> labels = positions_like([[[3], [4]]], [[0.1, 0.2]], "Loss", "Reshape it.")
        >>> ops.convert_to_numpy(labels).tolist()
        [[3, 4]]
    """
    wanted = tuple(ops.convert_to_tensor(values).shape)
    shape = None
    if labels is not None:
        labels = ops.convert_to_tensor(labels)
        shape = tuple(labels.shape)
        if len(shape) == len(wanted) + 1 and shape[-1] == 1:
            labels = ops.squeeze(labels, axis=-1)
        # A size that the graph does not know may still be right.
        pairs = list(zip(labels.shape, wanted, strict=False))
        fits = all(ours == theirs for ours, theirs in pairs if ours and theirs)
        if len(labels.shape) == len(wanted) and fits:
            return ops.cast(labels, "int32")
    raise invalid(where, f"labels of shape {('batch', *wanted[1:])}", shape, fix)


def token_divergence(
    teacher_logits,
    student_logits,
    labels=None,
    *,
    temperature=1.0,
    padding_label=None,
    num_tokens=None,
    mask=None,
):
    """Divergence of the student's next token from the teacher's, where labels count.

    Args:
        teacher_logits: float `(batch, length, vocabulary)`, before softmax; a constant.
        student_logits: same shape.
        labels: integers `(batch, length)`; positions with a label below 0, such as
            -100, are left out. They are not shifted: the label at i belongs to the
            logits at i. None counts every position.
        temperature: float > 0. Default 1.0.
        padding_label: int, a label that is left out as well; None for no other.
        num_tokens: number > 0 that the sum is divided by, as for accumulated gradients;
            None for the number of positions kept.
        mask: bool `(batch, length)`, positions that count; None for all.

    Returns:
        Float32 `(batch,)`, scaled by temperature², whose mean over the batch is the
        mean over all positions kept.

    Raises:
        ValueError: `labels` have another shape.

    Reference:
        Goddard, DistillKit, 2024, https://github.com/arcee-ai/DistillKit (its KL loss).
        Departures: where no position is kept the loss is 0, theirs 0 / 0.

    Example:
        >>> teacher, student = [[[2.0, 0.0], [5.0, 0.0]]], [[[0.0, 0.0], [0.0, 5.0]]]
        >>> value = token_divergence(teacher, student, [[1, -100]], temperature=2.0)
        >>> round(float(value[0]), 3)
        0.444
    """
    values = soft_target_divergence(
        teacher_logits, student_logits, temperature=temperature
    )
    kept = ops.ones_like(values, dtype="bool")
    if mask is not None:
        kept = ops.cast(mask, "bool")
    if labels is not None:
        fix = "Give one integer per position, -100 where it is to be left out."
        labels = positions_like(labels, values, "TokenDistillation", fix)
        kept = ops.logical_and(kept, labels >= 0)
    if labels is not None and padding_label is not None:
        kept = ops.logical_and(kept, ops.not_equal(labels, padding_label))
    return mean_over_kept(values, kept, total=num_tokens)


@keras.saving.register_keras_serializable(package="keras_kd")
class TokenDistillation(DistillationLoss):
    """The student learns the teacher's next token at every position that counts.

    Args:
        temperature: float > 0, or a Keras `LearningRateSchedule`. Default 1.0.
        padding_label: int, the label of padding, left out like labels below 0; None
            where padding has such a label. Default None.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `temperature` is not above 0; `padding_label` is no integer; the
            logits are not `(batch, length, vocabulary)` of both models alike.

    Reference:
        Goddard, DistillKit, 2024, https://github.com/arcee-ai/DistillKit (its KL loss).
        Departures: see `token_divergence`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[[2.0, 0.0], [5.0, 0.0]]]))
        >>> student = ModelOutputs(ops.array([[[0.0, 0.0], [0.0, 5.0]]]))
        >>> loss = TokenDistillation(temperature=2.0, padding_label=0)
        >>> round(float(loss(teacher, student, ops.array([[1, 0]]))[0]), 3)
        0.444
    """

    def __init__(self, temperature=1.0, *, padding_label=None, name=None):
        super().__init__(name=name)
        schedules.check_schedule("TokenDistillation", "temperature", temperature)
        if padding_label is not None and not _is_whole(padding_label):
            raise invalid(
                "TokenDistillation",
                "`padding_label` to be an integer or None",
                repr(padding_label),
                "Give the label that stands for padding.",
            )
        self.temperature = temperature
        self.padding_label = padding_label

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        if len(student_shapes.logits) != 3:
            raise invalid(
                "TokenDistillation",
                "logits of shape (batch, length, vocabulary)",
                student_shapes.logits,
                "Use SoftTargetDistillation for one decision per example.",
            )
        if teacher_shapes.logits[1:] != student_shapes.logits[1:]:
            raise invalid(
                "TokenDistillation",
                f"the student's logits to be {teacher_shapes.logits} like the "
                "teacher's",
                student_shapes.logits,
                "Give both models the same length of text and the same vocabulary.",
            )

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`. Without labels, all positions."""
        return token_divergence(
            teacher.logits,
            student.logits,
            labels,
            temperature=schedules.value_at(self.temperature, self.iterations),
            padding_label=self.padding_label,
            mask=student.mask,
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "temperature": schedules.to_config(self.temperature),
            "padding_label": self.padding_label,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})


def _is_whole(value):
    return is_number(value) and value == int(value)

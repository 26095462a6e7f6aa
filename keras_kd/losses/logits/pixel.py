"""Soft targets for segmentation: the classes at each pixel."""

import keras
from keras import ops

from keras_kd._checks import check_choice, invalid, is_number
from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.logits.soft_target import DIVERGENCES, soft_target_divergence
from keras_kd.losses.logits.token import mean_over_kept, positions_like


def pixel_divergence(
    teacher_logits,
    student_logits,
    labels=None,
    *,
    temperature=1.0,
    divergence="kl",
    ignored_label=None,
    mask=None,
):
    """Divergence of the student's classes from the teacher's, mean over the pixels.

    Args:
        teacher_logits: float `(batch, height, width, num_classes)`, before softmax; a
            constant.
        student_logits: same shape.
        labels: integers `(batch, height, width)`, or with a last axis of 1; needed for
            `ignored_label` only.
        temperature: float > 0. Default 1.0.
        divergence: "kl", or "cross_entropy", which adds the teacher's entropy.
        ignored_label: int, pixels of this label do not count, 255 as a rule; None
            counts all.
        mask: bool `(batch, height, width)`, pixels that count; None for all.

    Returns:
        Float32 `(batch,)`, scaled by temperature², whose mean over the batch is the
        mean over all pixels that count; 0 where none does.

    Raises:
        ValueError: There are no labels for `ignored_label`, or of another shape.

    Reference:
        Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR
        2019, https://arxiv.org/abs/1903.04197 (its pixel-wise term); as KL with a
        temperature in Yang et al., CVPR 2022, https://arxiv.org/abs/2204.06986.
        Departures: the first, cross-entropy at T = 1, sums over the batch and never
        uses its ignored label. With one, PaddleSeg's KLLoss divides by the number of
        classes as well. Here it is the mean per pixel throughout.

    Example:
        >>> teacher = [[[[2.0, 0.0], [5.0, 0.0]]]]
        >>> student = [[[[0.0, 0.0], [0.0, 5.0]]]]
        >>> value = pixel_divergence(
        ...     teacher, student, [[[1, 255]]], temperature=2.0, ignored_label=255
        ... )
        >>> round(float(value[0]), 3)
        0.444
    """
    values = soft_target_divergence(
        teacher_logits, student_logits, temperature=temperature, divergence=divergence
    )
    kept = None if mask is None else ops.cast(mask, "bool")
    if ignored_label is not None:
        has_label = _kept(labels, values, ignored_label)
        kept = has_label if kept is None else ops.logical_and(kept, has_label)
    if kept is None:
        return ops.mean(values, axis=(1, 2))
    return mean_over_kept(values, kept)


@keras.saving.register_keras_serializable(package="keras_kd")
class PixelDistillation(DistillationLoss):
    """The student learns the teacher's classes at every pixel.

    Args:
        temperature: float > 0, or a Keras `LearningRateSchedule`. Default 1.0.
        divergence: "kl" or "cross_entropy"; same gradient, another zero.
        ignored_label: int, pixels of this label do not count; 255 is usual. None, the
            default, counts all, as the authors do.
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 1.0, of the KL of Yang et al. beside a cross-entropy of 1.

    Raises:
        ValueError: `temperature` is not above 0; `divergence` or `ignored_label` is
            none; the logits are no maps of both models alike; there are no labels for
            `ignored_label`.

    Reference:
        Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR
        2019, https://arxiv.org/abs/1903.04197 (its pixel-wise term); as KL with a
        temperature in Yang et al., CVPR 2022, https://arxiv.org/abs/2204.06986.
        Departures: see `pixel_divergence`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[[[2.0, 0.0]]]]))
        >>> student = ModelOutputs(ops.array([[[[0.0, 0.0]]]]))
        >>> loss = PixelDistillation(temperature=2.0)
        >>> round(float(loss(teacher, student)[0]), 3)
        0.444
    """

    def __init__(
        self, temperature=1.0, divergence="kl", *, ignored_label=None, name=None
    ):
        super().__init__(name=name)
        schedules.check_schedule("PixelDistillation", "temperature", temperature)
        check_choice("PixelDistillation", "divergence", divergence, DIVERGENCES)
        if ignored_label is not None and not is_number(ignored_label):
            raise invalid(
                "PixelDistillation",
                "`ignored_label` to be an integer or None",
                repr(ignored_label),
                "Give the label of pixels that do not count, such as 255.",
            )
        self.temperature = temperature
        self.divergence = divergence
        self.ignored_label = ignored_label

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        if len(student_shapes.logits) != 4:
            raise invalid(
                "PixelDistillation",
                "logits of shape (batch, height, width, num_classes)",
                student_shapes.logits,
                "Use SoftTargetDistillation for one decision per example.",
            )
        if teacher_shapes.logits[1:] != student_shapes.logits[1:]:
            raise invalid(
                "PixelDistillation",
                f"the student's logits to be {teacher_shapes.logits} like the "
                "teacher's",
                student_shapes.logits,
                "Give both models maps of the same size and the same classes.",
            )

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`. Labels for `ignored_label` only."""
        return pixel_divergence(
            teacher.logits,
            student.logits,
            labels,
            temperature=schedules.value_at(self.temperature, self.iterations),
            divergence=self.divergence,
            ignored_label=self.ignored_label,
            mask=student.mask,
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "temperature": schedules.to_config(self.temperature),
            "divergence": self.divergence,
            "ignored_label": self.ignored_label,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})


def _kept(labels, values, ignored_label):
    """Which pixels count."""
    labels = positions_like(
        labels,
        values,
        "PixelDistillation",
        "Give one class number per pixel, of the size of the logits.",
    )
    return ops.not_equal(labels, ignored_label)

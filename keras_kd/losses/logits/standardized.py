"""Logit standardization (LSKD): only the shape of the logits counts, not their size."""

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.labels import check_several_classes
from keras_kd.losses.logits.soft_target import SoftTargetDistillation

# Added to the standard deviation, as the authors do.
_EPSILON = 1e-7


def standardized_logits(logits):
    """Logits of each example at mean 0 and standard deviation 1.

    Args:
        logits: float `(batch, num_classes)`, at least 2 classes.

    Returns:
        Float32 of the same shape: (z - mean) / (std + 1e-7), std with the divisor
        num_classes - 1. Constant logits give 0, with finite gradient.

    Reference:
        Sun et al., "Logit Standardization in Knowledge Distillation", CVPR 2024,
        https://arxiv.org/abs/2403.01427.
        Departures: std has the divisor num_classes - 1, as in the authors' code.

    Example:
        >>> logits = standardized_logits([[10.0, 20.0, 30.0]])
        >>> ops.convert_to_numpy(logits).round(3).tolist()
        [[-1.0, 0.0, 1.0]]
    """
    logits = ops.cast(logits, "float32")
    centred = logits - ops.mean(logits, axis=-1, keepdims=True)
    squared = ops.sum(ops.square(centred), axis=-1, keepdims=True)
    # The square root is taken of 1 where the logits are constant: its own gradient
    # there is infinite, and 0 · inf would be NaN.
    is_zero = ops.equal(squared, 0.0)
    variance = ops.where(is_zero, 1.0, squared) / (logits.shape[-1] - 1)
    deviation = ops.where(is_zero, 0.0, ops.sqrt(variance))
    return centred / (deviation + _EPSILON)


@keras.saving.register_keras_serializable(package="keras_kd")
class StandardizedDistillation(DistillationLoss):
    """Another loss on logits, applied to standardized logits of both models.

    A small student need no longer reach the size of a large teacher's logits.

    Args:
        loss: `DistillationLoss` on logits, such as `SoftTargetDistillation` or
            `DecoupledDistillation`. Default: `SoftTargetDistillation(2.0)`, the
            authors' setting.
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 9.0, which the authors give soft targets and DKD alike, both
            at temperature 2.

    Raises:
        ValueError: `loss` is no loss on logits; teacher and student score different
            classes, or only one; what `loss` raises.

    Reference:
        Sun et al., "Logit Standardization in Knowledge Distillation", CVPR 2024,
        https://arxiv.org/abs/2403.01427.
        Departures: see `standardized_logits`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[2.0, 0.0, 1.0]]))
        >>> student = ModelOutputs(ops.array([[20.0, 0.0, 10.0]]))
        >>> abs(float(StandardizedDistillation()(teacher, student)[0])) < 1e-6
        True
    """

    published_weight = 9.0

    def __init__(self, loss=None, *, name=None):
        super().__init__(name=name)
        loss = SoftTargetDistillation(2.0) if loss is None else loss
        _check_on_logits(loss)
        self.loss = loss

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("StandardizedDistillation", student_shapes)
        if not self.loss.built:
            self.loss.build(teacher_shapes, student_shapes)

    def call(self, teacher, student, labels=None, training=False):
        """See `DistillationLoss.call`; of the shape that `loss` gives."""
        return self.loss(
            teacher._replace(logits=standardized_logits(teacher.logits)),
            student._replace(logits=standardized_logits(student.logits)),
            labels,
            training=training,
        )

    def at_step(self, iterations):
        """See `DistillationLoss.at_step`; for the schedules of `loss`."""
        self.loss.at_step(iterations)
        return super().at_step(iterations)

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


def _check_on_logits(loss):
    if not isinstance(loss, DistillationLoss) or loss.teacher_layers:
        raise invalid(
            "StandardizedDistillation",
            "`loss` to be a DistillationLoss on logits",
            type(loss).__name__,
            "Give SoftTargetDistillation(2.0) or DecoupledDistillation().",
        )

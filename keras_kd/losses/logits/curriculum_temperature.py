"""Curriculum temperature (CTKD): a temperature that learns to work against the loss."""

import math

import keras
from keras import ops

from keras_kd._checks import check_choice, check_positive, invalid, is_number
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.epochs import check_count, epoch_at
from keras_kd.losses.labels import check_several_classes
from keras_kd.losses.logits.decoupled import decoupled_divergence
from keras_kd.losses.logits.soft_target import soft_target_divergence

RAMPS = ("cosine", "linear")


def scale_gradient(value, scale):
    """A value unchanged, whose gradient is multiplied by a factor on its way back.

    Args:
        value: float tensor.
        scale: float, or a scalar tensor; below 0 the value is trained to raise the
            loss that all else is trained to lower.

    Returns:
        `value`.

    Reference:
        Ganin & Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", ICML
        2015, https://arxiv.org/abs/1409.7495 (gradient reversal).
        Departures: the factor is given with its sign.

    Example:
        >>> float(scale_gradient(ops.array(3.0), -1.0))
        3.0
    """
    scale = ops.stop_gradient(ops.cast(scale, "float32"))

    @ops.custom_gradient
    def identity(inputs):
        def gradient(*args, upstream=None):
            # Keras's backends pass it by position or by name.
            return ops.multiply(args[0] if upstream is None else upstream, scale)

        return ops.convert_to_tensor(inputs), gradient

    return identity(ops.convert_to_tensor(value))


def curriculum_scale(epoch, *, ramp_epochs=10, ramp="cosine", strength=1.0):
    """The factor λ on the gradient of the temperature in an epoch: from 0 to -strength.

    Args:
        epoch: int, or int tensor; 1 in the first epoch.
        ramp_epochs: int > 0, the epochs N until λ is full. Default 10.
        ramp: "cosine" for -strength · (1 - cos(π · m / N)) / 2 with m = min(epoch, N),
            or "linear" for -strength · m / N, which stays at m = N - 1 from epoch N on.
        strength: float >= 0, the size of the last λ. Default 1.0.

    Returns:
        Float32 scalar, at most 0.

    Reference:
        Li et al., "Curriculum Temperature for Knowledge Distillation", AAAI 2023,
        https://arxiv.org/abs/2211.16231.
        Departures: none; the linear ramp of the authors' code never gets to -strength.

    Example:
        >>> [round(float(curriculum_scale(epoch)), 3) for epoch in (1, 5, 10, 99)]
        [-0.024, -0.5, -1.0, -1.0]
    """
    epoch = ops.cast(epoch, "float32")
    if ramp == "linear":
        reached = ops.where(epoch >= ramp_epochs, ramp_epochs - 1.0, epoch)
        return -strength * reached / ramp_epochs
    done = ops.clip(epoch, 0.0, ramp_epochs) / ramp_epochs
    return -strength * (1.0 - ops.cos(math.pi * done)) / 2.0


@keras.saving.register_keras_serializable(package="keras_kd")
class CurriculumTemperatureDistillation(DistillationLoss):
    """Soft targets at a temperature that is trained to make them hard to match.

    T = start + span · sigmoid(g) with one trainable number g, 1 at first. The gradient
    of g is turned round, ever more strongly over the first epochs, so that the student
    meets tasks of growing difficulty. g has the student's optimizer.

    Args:
        steps_per_epoch: int > 0, batches in an epoch: the strength changes by epoch.
        start: float > 0, the lowest temperature. Default 1.0.
        span: float > 0, how far the temperature may rise above it. Default 20.0.
        ramp_epochs: int > 0, see `curriculum_scale`. Default 10; 5 on ImageNet.
        ramp: "cosine" or "linear", see `curriculum_scale`.
        strength: float >= 0, see `curriculum_scale`; 0 leaves the temperature as it is.
        decoupled: None for Hinton's divergence, or `(alpha, beta)` for the decoupled
            one, see `DecoupledDistillation`; the authors take (1.0, 2.0).
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 1.0, with an `alpha` of 0.1 for the hard labels.

    Raises:
        ValueError: A number is out of its range; teacher and student score different
            classes, or only one; there are no labels for the decoupled divergence.

    Reference:
        Li et al., "Curriculum Temperature for Knowledge Distillation", AAAI 2023,
        https://arxiv.org/abs/2211.16231 (its global temperature).
        Departures: none.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.array([[2.0, 0.0]]))
        >>> student = ModelOutputs(ops.array([[0.0, 0.0]]))
        >>> loss = CurriculumTemperatureDistillation(steps_per_epoch=100)
        >>> round(float(loss(teacher, student)[0]), 3)
        0.499
        >>> round(float(loss.temperature), 2)
        15.62
    """

    def __init__(
        self,
        steps_per_epoch,
        *,
        start=1.0,
        span=20.0,
        ramp_epochs=10,
        ramp="cosine",
        strength=1.0,
        decoupled=None,
        name=None,
    ):
        super().__init__(name=name)
        where = "CurriculumTemperatureDistillation"
        check_count(where, "steps_per_epoch", steps_per_epoch)
        check_positive(where, "start", start)
        check_positive(where, "span", span)
        check_count(where, "ramp_epochs", ramp_epochs)
        check_choice(where, "ramp", ramp, RAMPS)
        if strength != 0:
            check_positive(where, "strength", strength)
        self.steps_per_epoch = steps_per_epoch
        self.start = start
        self.span = span
        self.ramp_epochs = ramp_epochs
        self.ramp = ramp
        self.strength = strength
        self.decoupled = decoupled_weights(where, decoupled)

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`; makes the weight behind the temperature."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("CurriculumTemperatureDistillation", student_shapes)
        self.raw_temperature = self.add_weight(
            name="raw_temperature", shape=(), initializer="ones"
        )

    @property
    def temperature(self):
        """The temperature now, a scalar tensor; exists once the loss is built."""
        scale = curriculum_scale(
            epoch_at(self.iterations, self.steps_per_epoch),
            ramp_epochs=self.ramp_epochs,
            ramp=self.ramp,
            strength=self.strength,
        )
        raw = scale_gradient(self.raw_temperature, scale)
        return self.start + self.span * ops.sigmoid(raw)

    @temperature.setter
    def temperature(self, value):
        raise invalid(
            "CurriculumTemperatureDistillation",
            "`temperature` to be left to training, which learns it",
            repr(value),
            "Use SoftTargetDistillation(temperature) to set it yourself.",
        )

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`. Needs labels if decoupled."""
        logits = teacher.logits, student.logits
        if self.decoupled is None:
            return soft_target_divergence(*logits, temperature=self.temperature)
        alpha, beta = self.decoupled
        return decoupled_divergence(
            *logits, labels, alpha=alpha, beta=beta, temperature=self.temperature
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "steps_per_epoch": self.steps_per_epoch,
            "start": self.start,
            "span": self.span,
            "ramp_epochs": self.ramp_epochs,
            "ramp": self.ramp,
            "strength": self.strength,
            "decoupled": None if self.decoupled is None else list(self.decoupled),
        }


def decoupled_weights(where, weights):
    """`(alpha, beta)` of the decoupled divergence as a tuple, or None; else raises."""
    if weights is None:
        return None
    pair = tuple(weights) if isinstance(weights, (list, tuple)) else ()
    if len(pair) == 2 and all(is_number(w) and w >= 0 for w in pair):
        return pair
    raise invalid(
        where,
        "`decoupled` to be None or (alpha, beta), two numbers of at least 0",
        repr(weights),
        "Give the weights of the true class and of the others, such as (1.0, 2.0).",
    )

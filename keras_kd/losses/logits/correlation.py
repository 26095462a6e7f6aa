"""DIST: the student keeps the teacher's order of classes and of examples."""

import keras
from keras import ops

from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.labels import check_several_classes
from keras_kd.losses.weights import check_weights

# Added to the product of the lengths, as the authors do.
_EPSILON = 1e-8


def correlation_divergence(
    teacher_logits, student_logits, *, beta=1.0, gamma=1.0, temperature=1.0
):
    """One minus the correlation of the probabilities, over classes and over examples.

    L = T² · (β · (1 - mean ρ of the rows) + γ · (1 - mean ρ of the columns)), where ρ
    is Pearson's correlation of the teacher's and the student's softmax(logits / T): of
    one example over the classes, and of one class over the batch.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        beta: float >= 0, weight of the classes of one example. Default 1.0.
        gamma: float >= 0, weight of the examples of one class. Default 1.0.
        temperature: float > 0. Default 1.0.

    Returns:
        Float32 scalar in [0, 2 · T² · (β + γ)]. In a batch of one, nothing correlates
        over the examples: the second term is γ · T² and has no gradient.

    Reference:
        Huang et al., "Knowledge Distillation from A Stronger Teacher", NeurIPS 2022,
        https://arxiv.org/abs/2205.10536.
        Departures: none.

    Example:
        >>> teacher = [[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]]
        >>> round(float(correlation_divergence(teacher, teacher)), 4)
        0.0
    """
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    teacher = ops.softmax(teacher_logits / temperature, axis=-1)
    student = ops.softmax(student_logits / temperature, axis=-1)
    of_example = 1.0 - ops.mean(_correlations(teacher, student, axis=-1))
    of_class = 1.0 - ops.mean(_correlations(teacher, student, axis=0))
    return temperature**2 * (beta * of_example + gamma * of_class)


@keras.saving.register_keras_serializable(package="keras_kd")
class CorrelationDistillation(DistillationLoss):
    """The student learns the teacher's preferences rather than its exact figures.

    Known as DIST. For teachers much larger or better trained than the student, which it
    could not match exactly. Needs batches of several examples.

    Args:
        beta: float >= 0, weight of the classes of one example. Default 1.0.
        gamma: float >= 0, weight of the examples of one class. Default 1.0.
        temperature: float > 0, or a Keras `LearningRateSchedule`. Default 1.0.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `temperature` is not above 0; `beta` or `gamma` is below 0; teacher
            and student score different classes, or only one.

    Reference:
        Huang et al., "Knowledge Distillation from A Stronger Teacher", NeurIPS 2022,
        https://arxiv.org/abs/2205.10536.
        Departures: none.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> same = ModelOutputs(ops.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]]))
        >>> round(float(CorrelationDistillation()(same, same)), 4)
        0.0
    """

    compares_examples = True

    def __init__(self, beta=1.0, gamma=1.0, temperature=1.0, *, name=None):
        super().__init__(name=name)
        check_weights("CorrelationDistillation", beta=beta, gamma=gamma)
        schedules.check_schedule("CorrelationDistillation", "temperature", temperature)
        self.beta = beta
        self.gamma = gamma
        self.temperature = temperature

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("CorrelationDistillation", student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; a scalar."""
        return correlation_divergence(
            teacher.logits,
            student.logits,
            beta=self.beta,
            gamma=self.gamma,
            temperature=schedules.value_at(self.temperature, self.iterations),
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "beta": self.beta,
            "gamma": self.gamma,
            "temperature": schedules.to_config(self.temperature),
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})


def _correlations(teacher, student, axis):
    """Pearson's correlation of each pair of vectors along `axis`; 0 for constants."""
    teacher = teacher - ops.mean(teacher, axis=axis, keepdims=True)
    student = student - ops.mean(student, axis=axis, keepdims=True)
    lengths = _length(teacher, axis) * _length(student, axis)
    return ops.sum(teacher * student, axis=axis) / (lengths + _EPSILON)


def _length(vectors, axis):
    squared = ops.sum(ops.square(vectors), axis=axis)
    # The square root is taken of 1 where the vector is zero: its own gradient there is
    # infinite, and 0 · inf would be NaN.
    is_zero = ops.equal(squared, 0.0)
    return ops.where(is_zero, 0.0, ops.sqrt(ops.where(is_zero, 1.0, squared)))

"""Multi-level logit distillation (MLLD): examples, batch and classes at once."""

import keras
from keras import ops

from keras_kd._checks import check_choice, invalid
from keras_kd.losses import schedules
from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.labels import check_several_classes
from keras_kd.losses.logits.soft_target import soft_target_divergence
from keras_kd.losses.logits.standardized import standardized_logits


def class_correlation_gap(teacher_logits, student_logits, *, temperature):
    """How differently teacher and student let classes occur together.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        temperature: float > 0.

    Returns:
        Float32 scalar: ‖Pₜᵀ Pₜ - Pₛᵀ Pₛ‖² / num_classes, with P = softmax(logits / T).

    Reference:
        Jin et al., "Multi-level Logit Distillation", CVPR 2023,
        https://github.com/Jin-Ying/Multi-Level-Logit-Distillation (paper and code).
        Departures: none.

    Example:
        >>> float(class_correlation_gap([[2.0, 0.0]], [[2.0, 0.0]], temperature=4.0))
        0.0
    """
    teacher, student = _probabilities(teacher_logits, student_logits, temperature)
    gap = ops.matmul(ops.transpose(teacher), teacher)
    gap -= ops.matmul(ops.transpose(student), student)
    return ops.sum(ops.square(gap)) / student.shape[-1]


def batch_correlation_gap(teacher_logits, student_logits, *, temperature):
    """How differently teacher and student find the examples of a batch alike.

    Args:
        teacher_logits: float `(batch, num_classes)`, before softmax; a constant.
        student_logits: same shape.
        temperature: float > 0.

    Returns:
        Float32 scalar: ‖Pₜ Pₜᵀ - Pₛ Pₛᵀ‖² / batch, with P = softmax(logits / T).

    Reference:
        Jin et al., CVPR 2023, see `class_correlation_gap`. Departures: none.

    Example:
        >>> float(batch_correlation_gap([[2.0, 0.0]], [[2.0, 0.0]], temperature=4.0))
        0.0
    """
    teacher, student = _probabilities(teacher_logits, student_logits, temperature)
    gap = ops.matmul(teacher, ops.transpose(teacher))
    gap -= ops.matmul(student, ops.transpose(student))
    return ops.mean(ops.sum(ops.square(gap), axis=-1))


def multi_level_divergence(
    teacher_views, student_views, *, temperature=4.0, standardize=False
):
    """Soft targets, class and batch correlations, summed over five temperatures.

    Args:
        teacher_views: pair of float `(batch, num_classes)`: the logits of the weakly
            and of the strongly augmented images; constants.
        student_views: the same of the student.
        temperature: float > 0, beside the fixed 2, 3, 5 and 6. Default 4.0.
        standardize: bool, whether soft targets see standardized logits (see
            `StandardizedDistillation`). Default False.

    Returns:
        Float32 scalar, at least 0.

    Reference:
        Jin et al., CVPR 2023,
        https://github.com/Jin-Ying/Multi-Level-Logit-Distillation.
        Departures: as the authors' code runs, not as the paper has it. The masks that
        should choose unsure examples and classes only scale whole terms, by the
        fraction chosen; the strong view's soft targets at 2 and 6 are those of the weak
        view; the strong view's correlations do not count.

    Example:
        >>> views = ops.zeros((2, 3)), ops.zeros((2, 3))
        >>> float(multi_level_divergence(views, views))
        0.0
    """
    weak = teacher_views[0], student_views[0]
    strong = teacher_views[1], student_views[1]
    examples, classes = _unsure_fractions(teacher_views[0])
    total = 0.0
    # The last two are the authors' slip, on which their numbers rest.
    others = (
        [temperature, strong],
        [3.0, strong],
        [5.0, strong],
        [2.0, weak],
        [6.0, weak],
    )
    for level, other in others:
        total += _soft_targets(other, level, standardize)
        total += examples * _soft_targets(weak, level, standardize)
        total += examples * batch_correlation_gap(*weak, temperature=level)
        total += classes * class_correlation_gap(*weak, temperature=level)
    return total


@keras.saving.register_keras_serializable(package="keras_kd")
class MultiLevelDistillation(DistillationLoss):
    """The student learns predictions, likenesses of examples and of classes together.

    The authors show the models each image twice, weakly and strongly augmented. A
    distiller sees one batch: with `views=2` its first half are the weak views and its
    second half the strong views of the same images, in the same order. With `views=1`
    every image stands for both of its views.

    Args:
        temperature: float > 0, or a Keras `LearningRateSchedule`; beside the fixed 2,
            3, 5 and 6. Default 4.0.
        views: 1 or 2, views of each image in a batch. Default 1.
        standardize: bool, whether soft targets see standardized logits (see
            `StandardizedDistillation`). Default False.
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 0.9, with 0.1 of the hard labels of either view; the authors
            of `standardize` give 9.0 and 0.1.

    Raises:
        ValueError: `temperature` is not above 0; `views` is neither 1 nor 2; teacher
            and student score different classes, or only one; a batch of two views has
            an odd number of images.

    Reference:
        Jin et al., "Multi-level Logit Distillation", CVPR 2023,
        https://github.com/Jin-Ying/Multi-Level-Logit-Distillation (paper and code).
        Departures: see `multi_level_divergence`; `views=1`, which the authors have not.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> same = ModelOutputs(ops.zeros((4, 3)))
        >>> float(MultiLevelDistillation(views=2)(same, same))
        0.0
    """

    compares_examples = True
    published_weight = 0.9

    def __init__(self, temperature=4.0, views=1, *, standardize=False, name=None):
        super().__init__(name=name)
        schedules.check_schedule("MultiLevelDistillation", "temperature", temperature)
        check_choice("MultiLevelDistillation", "views", views, (1, 2))
        self.temperature = temperature
        self.views = views
        self.standardize = standardize

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        self.check_class_counts(teacher_shapes, student_shapes)
        check_several_classes("MultiLevelDistillation", student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; a scalar."""
        return multi_level_divergence(
            self._views_of(teacher.logits),
            self._views_of(student.logits),
            temperature=schedules.value_at(self.temperature, self.iterations),
            standardize=self.standardize,
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "temperature": schedules.to_config(self.temperature),
            "views": self.views,
            "standardize": self.standardize,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})

    def _views_of(self, logits):
        if self.views == 1:
            return logits, logits
        # Where the batch size is not fixed, only the running program knows it.
        batch_size = logits.shape[0]
        if batch_size is not None and batch_size % 2:
            raise invalid(
                "MultiLevelDistillation",
                "an even batch: the weak views, then the strong views",
                f"{batch_size} images",
                "Concatenate two views of each image, or choose views=1.",
            )
        half = ops.shape(logits)[0] // 2
        return logits[:half], logits[half:]


def _probabilities(teacher_logits, student_logits, temperature):
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    return (
        ops.softmax(teacher_logits / temperature, axis=-1),
        ops.softmax(student_logits / temperature, axis=-1),
    )


def _soft_targets(view, temperature, standardize):
    if standardize:
        view = [standardized_logits(logits) for logits in view]
    return ops.mean(soft_target_divergence(*view, temperature=temperature))


def _unsure_fractions(teacher_logits):
    """The fractions of examples and classes up to the median of the teacher's trust."""
    teacher_logits = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    probabilities = ops.softmax(teacher_logits, axis=-1)
    of_example = ops.max(probabilities, axis=-1)
    of_class = ops.sum(probabilities, axis=0)
    return _fraction_up_to_median(of_example), _fraction_up_to_median(of_class)


def _fraction_up_to_median(values):
    is_unsure = ops.less_equal(values, ops.median(values))
    return ops.mean(ops.cast(is_unsure, "float32"))

"""Relational distillation: distances and angles between the examples of a batch."""

import keras
from keras import ops

from keras_kd._checks import invalid, is_number
from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.pairs import LayerPairLoss
from keras_kd.losses.relations.vectors import batch_vectors, check_several_examples


def distance_gap(teacher_features, student_features):
    """Huber difference of the distances between examples.

    Distances are divided by the mean distance of their batch, the student's with its
    gradient.

    Args:
        teacher_features: float `(batch, ...)` of any rank; a constant.
        student_features: float `(batch, ...)`; all but the batch size may differ.

    Returns:
        Float32 scalar, the mean over batch² pairs; 0 for 2 examples.

    Raises:
        ValueError: The batch is known to hold one example.

    Reference:
        Park et al., "Relational Knowledge Distillation", CVPR 2019,
        https://arxiv.org/abs/1904.05068.
        Departures: as in the authors' code, the mean over all pairs, an example with
        itself among them, where the paper has a sum.

    Example:
        >>> even, uneven = [[0.0], [1.0], [2.0]], [[0.0], [1.0], [3.0]]
        >>> round(float(distance_gap(even, uneven)), 4)
        0.0139
    """
    teacher = ops.stop_gradient(batch_vectors(teacher_features))
    student = batch_vectors(student_features)
    check_several_examples("RelationalDistillation", student)
    return ops.mean(_huber(_distances(student) - _distances(teacher)))


def angle_gap(teacher_features, student_features):
    """Huber difference of the angles that three examples form.

    The cosine at corner i of the triangle i, j, k, for all triples of the batch; it
    takes memory of batch³ + batch² · values numbers.

    Args:
        teacher_features: float `(batch, ...)` of any rank; a constant.
        student_features: float `(batch, ...)`; all but the batch size may differ.

    Returns:
        Float32 scalar, the mean over batch³ triples; 0 for 2 examples.

    Raises:
        ValueError: The batch is known to hold one example.

    Reference:
        Park et al., "Relational Knowledge Distillation", CVPR 2019,
        https://arxiv.org/abs/1904.05068.
        Departures: as in the authors' code, the mean over all triples, those that name
        an example twice among them, where the paper has a sum.

    Example:
        >>> corner = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        >>> line = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
        >>> round(float(angle_gap(corner, line)), 4)
        0.1296
    """
    teacher = ops.stop_gradient(batch_vectors(teacher_features))
    student = batch_vectors(student_features)
    check_several_examples("RelationalDistillation", student)
    return ops.mean(_huber(_angles(student) - _angles(teacher)))


@keras.saving.register_keras_serializable(package="keras_kd")
class RelationalDistillation(LayerPairLoss):
    """The student's examples lie to each other as the teacher's: distances, angles.

    L = distance_weight · distance_gap + angle_weight · angle_gap, summed over the pairs
    of layers.

    Args:
        teacher_layers: str or list of str; RepDistiller takes the pooled vector before
            the head. The widths need not agree.
        student_layers: as many of the student's.
        distance_weight: float >= 0. Default 25, RepDistiller's for classification; the
            authors take 1 for embeddings.
        angle_weight: float >= 0. Default 50; the authors take 2 for embeddings.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: See `LayerPairLoss`; a weight is below 0, or both are 0; the batch
            is known to hold one example.

    Reference:
        Park et al., "Relational Knowledge Distillation", CVPR 2019,
        https://arxiv.org/abs/1904.05068.
        Departures: see `distance_gap` and `angle_gap`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> even, uneven = ops.array([[0.0], [1], [2]]), ops.array([[0.0], [1], [3]])
        >>> teacher = ModelOutputs(ops.ones((3, 1)), {"a": even})
        >>> student = ModelOutputs(ops.ones((3, 1)), {"b": uneven})
        >>> round(float(RelationalDistillation("a", "b")(teacher, student)), 4)
        0.3472
    """

    compares_examples = True

    def __init__(
        self,
        teacher_layers,
        student_layers,
        *,
        distance_weight=25.0,
        angle_weight=50.0,
        name=None,
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        _check_weights(distance_weight, angle_weight)
        self.distance_weight = distance_weight
        self.angle_weight = angle_weight

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; a scalar."""
        terms = ((self.distance_weight, distance_gap), (self.angle_weight, angle_gap))
        return sum(
            weight * gap(ours, theirs)
            for ours, theirs in self.pairs(teacher.features, student.features)
            for weight, gap in terms
            if weight
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "distance_weight": self.distance_weight,
            "angle_weight": self.angle_weight,
        }


def _check_weights(distance_weight, angle_weight):
    weights = (distance_weight, angle_weight)
    if all(is_number(weight) and weight >= 0 for weight in weights) and any(weights):
        return
    raise invalid(
        "RelationalDistillation",
        "`distance_weight` and `angle_weight` to be numbers of at least 0, not both 0",
        " and ".join(map(repr, weights)),
        "Leave them out for the published 25 and 50.",
    )


def _distances(vectors):
    squares = ops.sum(ops.square(vectors), axis=-1)
    products = ops.matmul(vectors, ops.transpose(vectors))
    squared = squares[:, None] + squares[None, :] - 2.0 * products
    count = ops.shape(vectors)[0]
    # The square root is taken of 1 on the diagonal, where its gradient is infinite.
    diagonal = ops.eye(count, dtype="bool")
    length = ops.sqrt(ops.where(diagonal, 1.0, ops.maximum(squared, 1e-12)))
    distances = ops.where(diagonal, 0.0, length)
    pairs = ops.maximum(count * (count - 1), 1)
    mean = ops.sum(distances) / ops.cast(pairs, "float32")
    return distances / ops.maximum(mean, 1e-12)


def _angles(vectors):
    directions = l2_normalise(vectors[None, :, :] - vectors[:, None, :])
    return ops.matmul(directions, ops.transpose(directions, (0, 2, 1)))


def _huber(gap):
    size = ops.abs(gap)
    return ops.where(size < 1.0, 0.5 * ops.square(gap), size - 0.5)

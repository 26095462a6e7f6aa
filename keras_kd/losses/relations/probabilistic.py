"""Probabilistic knowledge transfer: each example keeps its likely neighbours."""

import keras
from keras import ops

from keras_kd.losses.pairs import LayerPairLoss
from keras_kd.losses.relations.vectors import batch_vectors

# The authors' guard of every division and logarithm; it enters the published numbers.
_EPSILON = 1e-7


def neighbour_divergence(teacher_features, student_features):
    """Divergence of each example's neighbours, as the student sees them.

    Cosine similarities, moved to [0, 1] and scaled to sum 1 per example, are the
    probability p(j | i) that i's neighbour is j. Per example i the result is
    meanⱼ pᵗ(j|i) · log(pᵗ(j|i) / pˢ(j|i)).

    Args:
        teacher_features: float `(batch, ...)` of any rank; a constant.
        student_features: float `(batch, ...)`; all but the batch size may differ.

    Returns:
        Float32 `(batch,)`, usually 1e-3 to 1e-6; 0 for a batch of one example.

    Reference:
        Passalis and Tefas, "Learning Deep Representations with Probabilistic Knowledge
        Transfer", ECCV 2018, https://arxiv.org/abs/1803.10837.
        Departures: as in the authors' code, the mean over j where the paper has the
        sum, and i counts as its own neighbour.

    Example:
        >>> apart, alike = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]
        >>> [round(float(value), 3) for value in neighbour_divergence(apart, alike)]
        [0.028, 0.028]
    """
    teacher = _neighbours(ops.stop_gradient(batch_vectors(teacher_features)))
    student = _neighbours(batch_vectors(student_features))
    gap = ops.log(teacher + _EPSILON) - ops.log(student + _EPSILON)
    return ops.mean(teacher * gap, axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class ProbabilisticDistillation(LayerPairLoss):
    """The student gives each example the neighbours it has for the teacher.

    L = mean pᵗ(j|i) · log(pᵗ(j|i) / pˢ(j|i)) over all i and j of a batch, summed over
    the pairs of layers; p from cosine similarities.

    Args:
        teacher_layers: str or list of str; the authors take the pooled vector before
            the head. The widths need not agree.
        student_layers: as many of the student's.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: See `LayerPairLoss`.

    Reference:
        Passalis and Tefas, "Learning Deep Representations with Probabilistic Knowledge
        Transfer", ECCV 2018, https://arxiv.org/abs/1803.10837; weight 30000
        (RepDistiller).
        Departures: see `neighbour_divergence`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 1)), {"a": ops.eye(2)})
        >>> student = ModelOutputs(ops.ones((2, 1)), {"b": ops.ones((2, 2))})
        >>> value = ProbabilisticDistillation("a", "b")(teacher, student)
        >>> round(float(value[0]), 3)
        0.028
    """

    compares_examples = True
    published_weight = 30000.0

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        pairs = self.pairs(teacher.features, student.features)
        return sum(neighbour_divergence(ours, theirs) for ours, theirs in pairs)


def _neighbours(vectors):
    directions = _directions(vectors)
    cosines = ops.matmul(directions, ops.transpose(directions))
    # Rounding can bring a cosine below -1, and the logarithm's argument below 0.
    similarities = ops.maximum((cosines + 1.0) / 2.0, 0.0)
    return similarities / ops.sum(similarities, axis=-1, keepdims=True)


def _directions(vectors):
    squared = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    # The square root is taken of 1 where the vector is zero: its own gradient there is
    # infinite, and 0 · inf would be NaN.
    is_zero = ops.equal(squared, 0.0)
    length = ops.sqrt(ops.where(is_zero, 1.0, squared))
    return ops.where(is_zero, 0.0, vectors / (length + _EPSILON))

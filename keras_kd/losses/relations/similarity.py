"""Similarity-preserving distillation: what looks alike to the teacher, does so too."""

import keras
from keras import ops

from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.pairs import LayerPairLoss
from keras_kd.losses.relations.vectors import batch_vectors


def similarity_gap(teacher_features, student_features):
    """Squared difference of how similar each example is to the others of its batch.

    G = X Xᵀ over the flattened features, each row scaled to length 1; per example i
    Σⱼ (Gˢᵢⱼ - Gᵗᵢⱼ)² / batch, whose mean is ‖Gˢ - Gᵗ‖² / batch².

    Args:
        teacher_features: float `(batch, ...)` of any rank; a constant.
        student_features: float `(batch, ...)`; all but the batch size may differ.

    Returns:
        Float32 `(batch,)`, at least 0; 0 for a batch of one example.

    Reference:
        Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019,
        https://arxiv.org/abs/1907.09682.
        Departures: none.

    Example:
        >>> apart, alike = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]
        >>> [round(float(value), 3) for value in similarity_gap(apart, alike)]
        [0.293, 0.293]
    """
    teacher = _similarities(ops.stop_gradient(batch_vectors(teacher_features)))
    student = _similarities(batch_vectors(student_features))
    return ops.mean(ops.square(student - teacher), axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class SimilarityDistillation(LayerPairLoss):
    """The student finds the same examples of a batch similar as the teacher does.

    L = ‖Gˢ - Gᵗ‖² / batch², summed over the pairs of layers, where G holds the inner
    products of the examples' features, rows scaled to length 1.

    Args:
        teacher_layers: str or list of str; the authors take the last stage's map,
            before it is pooled. Neither size nor channels need to agree.
        student_layers: as many of the student's.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: See `LayerPairLoss`.

    Reference:
        Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019,
        https://arxiv.org/abs/1907.09682; weight 3000 (RepDistiller).
        Departures: none.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 1)), {"a": ops.eye(2)})
        >>> student = ModelOutputs(ops.ones((2, 1)), {"b": ops.ones((2, 2))})
        >>> value = SimilarityDistillation("a", "b")(teacher, student)
        >>> round(float(value[0]), 3)
        0.293
    """

    compares_examples = True
    published_weight = 3000.0

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        pairs = self.pairs(teacher.features, student.features)
        return sum(similarity_gap(ours, theirs) for ours, theirs in pairs)


def _similarities(vectors):
    return l2_normalise(ops.matmul(vectors, ops.transpose(vectors)))

"""Correlation congruence: the student keeps how examples relate to each other."""

import math

import keras
from keras import ops

from keras_kd._checks import check_positive
from keras_kd.losses.pairs import LayerPairLoss
from keras_kd.losses.relations.vectors import (
    batch_vectors,
    check_several_examples,
    make_embeddings,
)


def neighbour_congruence(
    teacher_features,
    student_features,
    *,
    teacher_embedding=None,
    student_embedding=None,
):
    """How far neighbours in the batch miss the teacher in the same values.

    With d = |eᵗ - eˢ|: the mean over b of Σₖ d[b, k] · d[b + 1, k]. It depends on the
    order of the batch, which should be shuffled.

    Args:
        teacher_features: float `(batch, ...)` of any rank; a constant.
        student_features: float `(batch, ...)`; the same size unless embedded.
        teacher_embedding: callable from `(batch, values)` to `(batch, dim)`, such as a
            Dense layer, which gets a gradient; None to compare them as they are.
        student_embedding: the same for the student.

    Returns:
        Float32 scalar, at least 0; 0 if every second example agrees.

    Raises:
        ValueError: The batch is known to hold one example.

    Reference:
        Peng et al., "Correlation Congruence for Knowledge Distillation", ICCV 2019,
        https://arxiv.org/abs/1904.01802.
        Departures: this is what the authors gave RepDistiller to run; the paper has
        `kernel_congruence`.

    Example:
        >>> float(neighbour_congruence([[2.0], [0.0], [5.0]], [[0.0], [1.0], [4.0]]))
        1.5
    """
    teacher = ops.stop_gradient(batch_vectors(teacher_features))
    student = batch_vectors(student_features)
    check_several_examples("CongruenceDistillation", student)
    if teacher_embedding is not None:
        teacher = teacher_embedding(teacher)
    if student_embedding is not None:
        student = student_embedding(student)
    gap = ops.abs(teacher - student)
    neighbours = ops.cast(ops.maximum(ops.shape(gap)[0] - 1, 1), "float32")
    return ops.sum(gap[:-1] * gap[1:]) / neighbours


def kernel_congruence(teacher_features, student_features, *, gamma=0.4, order=2):
    """Distance of the student's matrix of kernel values from the teacher's.

    ‖Kˢ - Kᵗ‖ / batch², where K holds a kernel of each two examples x, y: x · y, or
    exp(-2γ) · Σ (2γ)ᵖ / p! · (x · y)ᵖ over p = 0 … order, which for vectors of length 1
    is the Taylor series of the Gaussian exp(-γ ‖x - y‖²).

    Args:
        teacher_features: float `(batch, ...)` of any rank; a constant.
        student_features: float `(batch, ...)`; all but the batch size may differ.
        gamma: float > 0 of the Gaussian; None for x · y. Default 0.4, the paper's.
        order: int >= 1, the last power of the Gaussian. Default 2, the paper's.

    Returns:
        Float32 scalar, at least 0.

    Reference:
        Peng et al., "Correlation Congruence for Knowledge Distillation", ICCV 2019,
        https://arxiv.org/abs/1904.01802.
        Departures: as in torchdistill, the norm is not squared.

    Example:
        >>> apart, alike = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]
        >>> round(float(kernel_congruence(apart, alike, gamma=None)), 3)
        0.354
    """
    teacher = _kernel(ops.stop_gradient(batch_vectors(teacher_features)), gamma, order)
    student = _kernel(batch_vectors(student_features), gamma, order)
    squared = ops.sum(ops.square(student - teacher))
    # The square root is taken of 1 where the kernels agree: its own gradient there is
    # infinite, and 0 · inf would be NaN.
    is_zero = ops.equal(squared, 0.0)
    norm = ops.where(is_zero, 0.0, ops.sqrt(ops.where(is_zero, 1.0, squared)))
    return norm / ops.cast(ops.shape(student)[0] ** 2, "float32")


@keras.saving.register_keras_serializable(package="keras_kd")
class CongruenceDistillation(LayerPairLoss):
    """The student does not miss the teacher in the same values twice in a row.

    L = Σ d[b] · d[b + 1] / (batch - 1) with d = |eᵗ - eˢ|, where a linear embedding e
    of each model's features trains with the student; summed over the pairs of layers.

    Args:
        teacher_layers: str or list of str; RepDistiller takes the pooled vector before
            the head. The widths need not agree.
        student_layers: as many of the student's.
        embedding_dim: int > 0, the units of both embeddings; None for no embedding.
            Default 128.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: See `LayerPairLoss`; `embedding_dim` is not above 0; the layers
            differ in size and are not embedded; the size of a layer to be embedded is
            not fixed; the batch is known to hold one example.

    Reference:
        Peng et al., "Correlation Congruence for Knowledge Distillation", ICCV 2019,
        https://arxiv.org/abs/1904.01802; weight 0.02 (RepDistiller).
        Departures: see `neighbour_congruence`; the embeddings start from Keras's
            Glorot-uniform weights, in the reference from PyTorch's.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 1)), {"a": ops.array([[2.0], [0.0]])})
        >>> student = ModelOutputs(ops.ones((2, 1)), {"b": ops.array([[0.0], [1.0]])})
        >>> loss = CongruenceDistillation("a", "b", embedding_dim=None)
        >>> float(loss(teacher, student))
        2.0
    """

    compares_examples = True
    published_weight = 0.02

    def __init__(
        self,
        teacher_layers,
        student_layers,
        *,
        embedding_dim=128,
        name=None,
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        if embedding_dim is not None:
            check_positive("CongruenceDistillation", "embedding_dim", embedding_dim)
        self.embedding_dim = embedding_dim
        self.teacher_embeddings = []
        self.student_embeddings = []

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`; makes two embeddings for each pair."""
        pairs = self.pairs(teacher_shapes.features, student_shapes.features)
        for number, (teacher_shape, student_shape) in enumerate(pairs):
            if self.embedding_dim is None:
                self._check_sizes(number, teacher_shape, student_shape)
            else:
                of_teacher, of_student = make_embeddings(
                    self, number, teacher_shape, student_shape, self.embedding_dim
                )
                self.teacher_embeddings.append(of_teacher)
                self.student_embeddings.append(of_student)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; a scalar."""
        total = 0.0
        pairs = self.pairs(teacher.features, student.features)
        for number, (ours, theirs) in enumerate(pairs):
            embeddings = {}
            if self.embedding_dim is not None:
                embeddings = {
                    "teacher_embedding": self.teacher_embeddings[number],
                    "student_embedding": self.student_embeddings[number],
                }
            total += neighbour_congruence(ours, theirs, **embeddings)
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "embedding_dim": self.embedding_dim}

    def _check_sizes(self, number, teacher_shape, student_shape):
        if None in (*teacher_shape[1:], *student_shape[1:]):
            return
        if math.prod(teacher_shape[1:]) != math.prod(student_shape[1:]):
            raise self.pair_error(
                number,
                "as many values as",
                teacher_shape,
                student_shape,
                "Give an embedding_dim.",
            )


def _kernel(vectors, gamma, order):
    products = ops.matmul(vectors, ops.transpose(vectors))
    if gamma is None:
        return products
    # By repeated products: the gradient of a power with exponent 0 is NaN at 0.
    term = series = ops.ones_like(products)
    for power in range(1, order + 1):
        term = term * products * (2 * gamma / power)
        series = series + term
    return math.exp(-2 * gamma) * series

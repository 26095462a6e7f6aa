"""Prime-aware distillation: what the student finds uncertain counts less."""

import math

import keras
from keras import layers, ops

from keras_kd._checks import check_positive
from keras_kd.losses import maps
from keras_kd.losses.pairs import LayerPairLoss


def prime_aware_gap(
    teacher_embeddings, student_embeddings, log_variance, *, epsilon=1e-6
):
    """Squared differences divided by a predicted variance, plus its logarithm.

    Args:
        teacher_embeddings: float `(batch, dimensions)`; a constant.
        student_embeddings: same shape.
        log_variance: float, same shape: how uncertain each difference is.
        epsilon: float > 0, added to the variance.

    Returns:
        Float32 `(batch,)`, the mean over dimensions of (e_t - e_s)² / (epsilon + exp v)
        + v; may be negative.

    Reference:
        Zhang et al., "Prime-Aware Adaptive Distillation", ECCV 2020,
        https://arxiv.org/abs/2008.01458.
        Departures: without the factor 1/2 of a Gaussian's likelihood, as in the public
        code.

    Example:
        >>> float(prime_aware_gap([[3.0]], [[1.0]], [[0.0]])[0])  # doctest: +ELLIPSIS
        3.99999...
    """
    teacher_embeddings = ops.stop_gradient(ops.cast(teacher_embeddings, "float32"))
    gap = teacher_embeddings - ops.cast(student_embeddings, "float32")
    log_variance = ops.cast(log_variance, "float32")
    # As an exponential: exp(v) overflows for large v, and inf / inf has no gradient.
    precision = ops.exp(-ops.logaddexp(log_variance, math.log(epsilon)))
    return ops.mean(ops.square(gap) * precision + log_variance, axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class PrimeAwareDistillation(LayerPairLoss):
    """The student follows the teacher's embedding, most where it feels certain (PAD).

    A linear layer with BatchNormalization, which trains with the student, predicts the
    logarithm of a variance from the student's embedding, for every dimension. Examples
    and dimensions the student cannot get right are given a large variance and weigh
    less.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give
            `(batch, ..., channels)`: a vector, or a map, of which the mean over
            positions is taken. The authors take the pooled vector.
        student_layers: as many of the student's, of the same width.
        epsilon: float > 0, added to the variance. Default 1e-6.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `epsilon` is not above 0; two layers differ in width.

    Reference:
        Zhang et al., "Prime-Aware Adaptive Distillation", ECCV 2020,
        https://arxiv.org/abs/2008.01458.
        Departures: see `prime_aware_gap`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> one = ModelOutputs(ops.ones((2, 5)), {"pool": ops.zeros((2, 4))})
        >>> loss = PrimeAwareDistillation("pool", "pool")
        >>> ops.convert_to_numpy(loss(one, one)).tolist()
        [0.0, 0.0]
    """

    def __init__(self, teacher_layers, student_layers, epsilon=1e-6, *, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        check_positive("PrimeAwareDistillation", "epsilon", epsilon)
        self.epsilon = epsilon
        self.estimators = []

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        shapes = self.pairs(teacher_shapes.features, student_shapes.features)
        for number, (teacher, student) in enumerate(shapes):
            if student[-1] is None or teacher[-1] != student[-1]:
                raise self.pair_error(
                    number,
                    "the channels",
                    teacher,
                    student,
                    "Choose layers of the same width, or end the student in a dense "
                    "layer of the teacher's.",
                )
            estimator = maps.stack(
                layers.Dense(student[-1], dtype="float32"),
                layers.BatchNormalization(**maps.BATCH_NORM, dtype="float32"),
            )
            estimator.build((None, student[-1]))
            self.estimators.append(estimator)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`, summed over the pairs."""
        total = 0.0
        pairs = self.pairs(teacher.features, student.features)
        for estimator, (ours, theirs) in zip(self.estimators, pairs, strict=True):
            embeddings = _embedding(theirs)
            total = total + prime_aware_gap(
                _embedding(ours),
                embeddings,
                estimator(embeddings),
                epsilon=self.epsilon,
            )
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "epsilon": self.epsilon}


def _embedding(features):
    """The mean over positions, `(batch, channels)`."""
    shape = (ops.shape(features)[0], -1, features.shape[-1])
    return ops.mean(ops.reshape(features, shape), axis=1)

"""Variational information distillation: the teacher's features, and how sure."""

import math

import keras
from keras import layers, ops

from keras_kd._checks import check_positive
from keras_kd.losses import maps
from keras_kd.losses.pairs import LayerPairLoss

_SMALLEST_VARIANCE = 1e-5


def variational_negative_log_likelihood(teacher_maps, predicted_means, *, variances):
    """Surprise at the teacher's features, given a normal prediction of them.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        predicted_means: same shape, from the student's features.
        variances: float `(channels,)`, above 0.

    Returns:
        Float32 `(batch,)`, in nats, without the constant log(2π)/2; may be negative:
        mean of ((μ - F_t)² / σ² + log σ²) / 2.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Ahn et al., "Variational Information Distillation for Knowledge Transfer",
        CVPR 2019, https://arxiv.org/abs/1904.05835.
        Departures: the mean over features, as in RepDistiller; the paper has the sum.

    Example:
        >>> ones = ops.ones((1, 2, 2, 3))
        >>> loss = variational_negative_log_likelihood(
        ...     ones, 3.0 * ones, variances=ops.ones(3)
        ... )
        >>> float(loss[0])
        2.0
    """
    teacher_maps, predicted_means = maps.as_float32(teacher_maps, predicted_means)
    maps.check_equal_shapes(
        "variational_negative_log_likelihood", teacher_maps, predicted_means
    )
    variances = ops.cast(variances, "float32")
    squared = ops.square(predicted_means - teacher_maps) / variances
    return 0.5 * ops.mean(squared + ops.log(variances), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_kd")
class VariationalDistillation(LayerPairLoss):
    """The student's features tell as much as they can about the teacher's (VID).

    L = mean ((μ(F_s) - F_t)² / σ² + log σ²) / 2. The mean μ, three 1x1 convolutions
    with ReLU between them, and the variance σ² of each channel train with the student.
    Pairs of layers are added; the larger map is first pooled to the smaller's size.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(height, width, channels)`.
        student_layers: as many of the student's, of any number of channels.
        hidden_channels: int, of the convolutions of μ. Default None: the teacher's.
        initial_variance: float > 1e-5, of every channel. Default 5.0, the authors'.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: An argument is not above 0; a layer gives no maps; maps of different
            size are not square.

    Reference:
        Ahn et al., "Variational Information Distillation for Knowledge Transfer",
        CVPR 2019, https://arxiv.org/abs/1904.05835.
        Departures: see `variational_negative_log_likelihood`; weights start as He's
        normal. The variances train, as in RepDistiller; in mdistiller they do not.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 5)), {"block": ops.ones((2, 8, 8, 6))})
        >>> student = ModelOutputs(ops.ones((2, 5)), {"conv": ops.zeros((2, 4, 4, 3))})
        >>> loss = VariationalDistillation("block", "conv", initial_variance=1.0)
        >>> [round(float(value), 3) for value in loss(teacher, student)]
        [0.5, 0.5]
    """

    def __init__(
        self,
        teacher_layers,
        student_layers,
        *,
        hidden_channels=None,
        initial_variance=5.0,
        name=None,
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        where = "VariationalDistillation"
        if hidden_channels is not None:
            check_positive(where, "hidden_channels", hidden_channels)
        check_positive(where, "initial_variance", initial_variance)
        check_positive(
            where,
            "initial_variance - 1e-5",
            initial_variance - _SMALLEST_VARIANCE,
        )
        self.hidden_channels = hidden_channels
        self.initial_variance = initial_variance

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`; makes a regressor and variances per pair."""
        self.regressors, self.log_scales = [], []
        pairs = maps.matching_map_shapes(self, teacher_shapes, student_shapes)
        for number, (teacher_shape, student_shape) in enumerate(pairs):
            channels = teacher_shape[-1]
            hidden = self.hidden_channels or channels
            regressor = maps.stack(
                maps.convolution(hidden),
                layers.ReLU(dtype="float32"),
                maps.convolution(hidden),
                layers.ReLU(dtype="float32"),
                maps.convolution(channels),
            )
            regressor.build((None, None, None, student_shape[-1]))
            self.regressors.append(regressor)
            self.log_scales.append(
                self.add_weight(
                    shape=(channels,),
                    # The inverse of softplus, so that `call` starts at the variance.
                    initializer=keras.initializers.Constant(
                        _softplus_inverse(self.initial_variance - _SMALLEST_VARIANCE)
                    ),
                    name=f"log_scale_{number}",
                )
            )

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        total = 0.0
        for number, pair in enumerate(self.pairs(teacher.features, student.features)):
            teacher_maps, student_maps = maps.match_heights(*maps.as_float32(*pair))
            variances = ops.softplus(self.log_scales[number]) + _SMALLEST_VARIANCE
            total += variational_negative_log_likelihood(
                teacher_maps, self.regressors[number](student_maps), variances=variances
            )
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "hidden_channels": self.hidden_channels,
            "initial_variance": self.initial_variance,
        }


def _softplus_inverse(value):
    # exp overflows for large values, where softplus is the identity.
    return math.log(math.expm1(value)) if value < 30.0 else value

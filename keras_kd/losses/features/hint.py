"""FitNets' hints: the student's maps, through a regressor, equal the teacher's."""

import keras
from keras import layers, ops

from keras_kd.losses import maps
from keras_kd.losses.pairs import LayerPairLoss


def hint_error(teacher_maps, student_maps):
    """Mean squared difference of two feature maps.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        student_maps: same shape.

    Returns:
        Float32 `(batch,)`, at least 0.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015,
        https://arxiv.org/abs/1412.6550.
        Departures: the mean, as RepDistiller and mdistiller run it, where the paper has
        half the sum.

    Example:
        >>> float(hint_error(ops.zeros((1, 2, 2, 3)), 2.0 * ops.ones((1, 2, 2, 3)))[0])
        4.0
    """
    teacher_maps, student_maps = maps.as_float32(teacher_maps, student_maps)
    maps.check_equal_shapes("hint_error", teacher_maps, student_maps)
    return ops.mean(ops.square(student_maps - teacher_maps), axis=(1, 2, 3))


def make_regressor(teacher_shape, student_shape, *, relu=True):
    """Layers that bring the student's maps to the shape of the teacher's.

    A convolution that fits the sizes, then BatchNormalization, then ReLU. The
    convolution has stride 2 if the student's map is twice as large, is transposed if it
    is half as large, and otherwise has a kernel that takes off what is too much.

    Args:
        teacher_shape: tuple `(batch, height, width, channels)`.
        student_shape: the same, of the student.
        relu: bool, whether to end with ReLU; False for maps from before a ReLU.

    Returns:
        A built `keras.Sequential` in float32; None if the student's map is smaller, but
        not half as large.

    Reference:
        Romero et al., 2015, https://arxiv.org/abs/1412.6550; mdistiller's `ConvReg`.
        Departures: the width counts as the height does; weights start as He's normal.

    Example:
        >>> regressor = make_regressor((None, 4, 4, 5), (None, 8, 8, 3))
        >>> tuple(regressor(ops.ones((1, 8, 8, 3))).shape)
        (1, 4, 4, 5)
    """
    parts = _resizing_convolution(teacher_shape, student_shape)
    if parts is None:
        return None
    parts = [*parts, layers.BatchNormalization(**maps.BATCH_NORM, dtype="float32")]
    if relu:
        parts.append(layers.ReLU(dtype="float32"))
    regressor = maps.stack(*parts)
    regressor.build(student_shape)
    return regressor


def _resizing_convolution(teacher_shape, student_shape):
    _, height, width, channels = teacher_shape
    size = tuple(student_shape[1:3])
    options = {"kernel_initializer": "he_normal", "dtype": "float32"}
    if size == (2 * height, 2 * width):
        # One row and column on both sides, unlike "same", which pads at the end only.
        padding = layers.ZeroPadding2D(1, dtype="float32")
        return [padding, layers.Conv2D(channels, 3, strides=2, **options)]
    if (2 * size[0], 2 * size[1]) == (height, width):
        return [
            layers.Conv2DTranspose(channels, 4, strides=2, padding="same", **options)
        ]
    kernel_size = (1 + size[0] - height, 1 + size[1] - width)
    if min(kernel_size) < 1:
        return None
    return [layers.Conv2D(channels, kernel_size, **options)]


@keras.saving.register_keras_serializable(package="keras_kd")
class HintDistillation(LayerPairLoss):
    """The student's middle layers learn to predict the teacher's (FitNets).

    L = mean (r(F_s) - F_t)², with a regressor r of convolution, BatchNormalization and
    ReLU that trains with the student. Pairs of layers are added.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(height, width, channels)`, after their ReLU.
        student_layers: as many of the student's, of any number of channels; half the
            teacher's size, the same, or larger.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: A layer gives no maps, or a student's maps are too small.

    Reference:
        Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015,
        https://arxiv.org/abs/1412.6550.
        Departures: see `hint_error` and `make_regressor`; trained along with the other
        losses, as mdistiller does, where the paper has a stage of its own.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 5)), {"block": ops.ones((2, 4, 4, 6))})
        >>> student = ModelOutputs(ops.ones((2, 5)), {"conv": ops.ones((2, 4, 4, 3))})
        >>> tuple(HintDistillation("block", "conv")(teacher, student).shape)
        (2,)
    """

    published_weight = 100.0

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`; makes one regressor per pair."""
        self.regressors = []
        pairs = maps.map_shapes(self, teacher_shapes, student_shapes)
        for number, (teacher_shape, student_shape) in enumerate(pairs):
            regressor = make_regressor(teacher_shape, student_shape)
            if regressor is None:
                raise self.pair_error(
                    number,
                    "at least, or exactly half, the height and width",
                    teacher_shape,
                    student_shape,
                    "Choose an earlier layer of the student.",
                )
            self.regressors.append(regressor)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        pairs = self.pairs(teacher.features, student.features)
        return sum(
            hint_error(teacher_maps, regressor(student_maps))
            for regressor, (teacher_maps, student_maps) in zip(
                self.regressors, pairs, strict=True
            )
        )

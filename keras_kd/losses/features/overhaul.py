"""The overhaul of feature distillation: what the teacher's ReLU lets through."""

import math

import keras
import numpy as np
from keras import layers, ops

from keras_kd._checks import check_positive, invalid
from keras_kd.losses import maps
from keras_kd.losses.pairs import LayerPairLoss
from keras_kd.outputs.layers import find_layer


def negative_margins(gamma, beta):
    """The mean of each channel where it is below 0, told by BatchNormalization.

    Before a ReLU, a channel is about normal with mean beta and deviation |gamma|; its
    mean below 0 is what the student should give where the teacher's ReLU is off.

    Args:
        gamma: float `(channels,)`, the scale of a BatchNormalization.
        beta: float `(channels,)`, its shift.

    Returns:
        NumPy float64 `(channels,)`, below or near 0: μ - σ · φ(μ/σ) / Φ(-μ/σ); -3σ
        where less than 0.001 of the channel is below 0.

    Reference:
        Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019,
        https://arxiv.org/abs/1904.01866.
        Departures: none from the authors' code; the paper has no -3σ.

    Example:
        >>> negative_margins([1.0, 1.0], [0.0, 9.0]).round(3).tolist()
        [-0.798, -3.0]
    """
    # Above 0, so that a channel that was pruned away has a margin too.
    deviations = np.maximum(np.abs(np.asarray(gamma, "float64")), 1e-12)
    ratios = np.asarray(beta, "float64") / deviations
    below = np.array([0.5 * math.erfc(ratio / math.sqrt(2)) for ratio in ratios])
    density = np.exp(-0.5 * np.square(ratios)) / math.sqrt(2 * math.pi)
    means = deviations * (ratios - density / np.maximum(below, 1e-3))
    return np.where(below > 1e-3, means, -3.0 * deviations)


def overhaul_distance(teacher_maps, predicted_maps, *, margins):
    """Squared difference that forgives the student where both are below the margin.

    Args:
        teacher_maps: float `(batch, height, width, channels)`, before the ReLU; a
            constant.
        predicted_maps: same shape, of the student's connector.
        margins: float `(channels,)`, below 0; see `negative_margins`.

    Returns:
        Float32 `(batch,)`, at least 0: with u = max(F_t, margin), the sum of (r - u)²
        over the neurons where r > u or u > 0.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019,
        https://arxiv.org/abs/1904.01866.
        Departures: none.

    Example:
        >>> off = -5.0 * ops.ones((1, 2, 2, 3))
        >>> float(overhaul_distance(off, 2.0 * off, margins=-ops.ones(3))[0])
        0.0
    """
    teacher_maps, predicted_maps = maps.as_float32(teacher_maps, predicted_maps)
    maps.check_equal_shapes("overhaul_distance", teacher_maps, predicted_maps)
    targets = ops.maximum(teacher_maps, ops.cast(margins, "float32"))
    counts = ops.logical_or(predicted_maps > targets, targets > 0.0)
    squared = ops.where(counts, ops.square(predicted_maps - targets), 0.0)
    return ops.sum(squared, axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_kd")
class OverhaulDistillation(LayerPairLoss):
    """The student's maps before the ReLU follow the teacher's where they matter (OFD).

    L = Σ_i 2^(i - n + 1) · Σ (r(F_s) - u)² where r(F_s) > u or u > 0, with
    u = max(F_t, margin), for pair i of n. The connector r, a convolution and
    BatchNormalization, trains with the student. `from_teacher` finds the margins.

    Args:
        teacher_layers: a path, or a list of paths from input to output, of layers that
            give maps `(height, width, channels)` before the ReLU.
        student_layers: as many of the student's, before the ReLU, of any number of
            channels; the teacher's maps are pooled to their size.
        margins: for each teacher layer a list of a float per channel, what counts as
            off; see `negative_margins`.
        kernel_size: int, of the connectors. Default 1, the authors'; mdistiller has 3
            for some pairs.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: Not as many margins as layers or as channels; `kernel_size` is not
            above 0; a layer gives no maps.

    Reference:
        Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019,
        https://arxiv.org/abs/1904.01866.
        Departures: none from the authors' code. Its sum over the batch, divided by the
        batch size and by 1000, is here one value per example and a weight of 0.001.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 5)), {"bn": ops.ones((2, 8, 8, 2))})
        >>> student = ModelOutputs(ops.ones((2, 5)), {"bn": ops.zeros((2, 4, 4, 3))})
        >>> loss = OverhaulDistillation("bn", "bn", [[-0.8, -0.5]])
        >>> ops.convert_to_numpy(loss(teacher, student)).tolist()
        [32.0, 32.0]
    """

    published_weight = 1e-3

    def __init__(
        self, teacher_layers, student_layers, margins, *, kernel_size=1, name=None
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        check_positive("OverhaulDistillation", "kernel_size", kernel_size)
        if len(margins) != len(self.teacher_layers):
            raise invalid(
                "OverhaulDistillation",
                f"margins for each of {len(self.teacher_layers)} teacher_layers",
                len(margins),
                "Let OverhaulDistillation.from_teacher find them.",
            )
        self.margins = tuple(
            tuple(np.asarray(values, "float64").tolist()) for values in margins
        )
        self.kernel_size = kernel_size

    @classmethod
    def from_teacher(
        cls, teacher, teacher_layers, student_layers, *, batch_norms=None, **options
    ):
        """The loss with the margins of a teacher's BatchNormalization layers.

        Args:
            teacher: the teacher's Keras model, trained.
            teacher_layers: as for the class.
            student_layers: as for the class.
            batch_norms: as many paths of the BatchNormalization layers last before the
                ReLU. Default None: `teacher_layers` are those themselves; a residual
                block's sum, say, is not.
            **options: the other arguments of the class.

        Returns:
            An `OverhaulDistillation`.

        Raises:
            ValueError: A path does not exist, or is no BatchNormalization.

        Example:
            >>> conv = keras.layers.Conv2D(4, 3)
            >>> bn = keras.layers.BatchNormalization(name="bn")
            >>> model = keras.Sequential([keras.Input((8, 8, 3)), conv, bn])
            >>> loss = OverhaulDistillation.from_teacher(model, "bn", "conv")
            >>> [round(margin, 3) for margin in loss.margins[0]]
            [-0.798, -0.798, -0.798, -0.798]
        """
        paths = teacher_layers if batch_norms is None else batch_norms
        paths = [paths] if isinstance(paths, str) else list(paths)
        margins = [_margins_of(find_layer(teacher, path), path) for path in paths]
        return cls(teacher_layers, student_layers, margins, **options)

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`; makes one connector per pair."""
        self.connectors = []
        pairs = maps.map_shapes(self, teacher_shapes, student_shapes)
        for number, (teacher_shape, student_shape) in enumerate(pairs):
            channels = teacher_shape[-1]
            if len(self.margins[number]) != channels:
                raise invalid(
                    "OverhaulDistillation",
                    f'margins for the {channels} channels of teacher layer "'
                    f'{self.teacher_layers[number]}"',
                    len(self.margins[number]),
                    "Let OverhaulDistillation.from_teacher find them.",
                )
            connector = maps.stack(
                maps.convolution(channels, self.kernel_size),
                layers.BatchNormalization(**maps.BATCH_NORM, dtype="float32"),
            )
            connector.build((None, None, None, student_shape[-1]))
            self.connectors.append(connector)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        pairs = self.pairs(teacher.features, student.features)
        total = 0.0
        for number, (teacher_maps, student_maps) in enumerate(pairs):
            height, width = student_maps.shape[1:3]
            if tuple(teacher_maps.shape[1:3]) != (height, width):
                teacher_maps = maps.adaptive_average_pool(teacher_maps, height, width)
            distance = overhaul_distance(
                teacher_maps,
                self.connectors[number](student_maps),
                margins=ops.convert_to_tensor(self.margins[number], "float32"),
            )
            total += 2.0 ** (number - len(pairs) + 1) * distance
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "margins": [list(values) for values in self.margins],
            "kernel_size": self.kernel_size,
        }


def _margins_of(layer, path):
    if not isinstance(layer, layers.BatchNormalization):
        raise invalid(
            "OverhaulDistillation.from_teacher",
            f'"{path}" to be a BatchNormalization layer',
            type(layer).__name__,
            "Pass `batch_norms`, the layers last before the ReLU.",
        )
    zeros = np.zeros(layer.moving_mean.shape)
    gamma = ops.convert_to_numpy(layer.gamma) if layer.scale else zeros + 1.0
    beta = ops.convert_to_numpy(layer.beta) if layer.center else zeros
    return negative_margins(gamma, beta)

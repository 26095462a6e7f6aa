"""Activation boundaries: whether a neuron of the teacher is on or off."""

import keras
from keras import layers, ops

from keras_kd._checks import check_positive
from keras_kd.losses import maps
from keras_kd.losses.features.hint import make_regressor
from keras_kd.losses.pairs import LayerPairLoss

# 1/1000 for the sum over neurons, times 3 for the loss: in the authors' script.
_SCALE = 3e-3


def activation_boundary_distance(teacher_maps, student_maps, *, margin=1.0):
    """How far the student's neurons are from being on and off as the teacher's are.

    A neuron that is on in the teacher (above 0) should be above the margin in the
    student; one that is off, below minus the margin. Squared hinge, summed.

    Args:
        teacher_maps: float `(batch, height, width, channels)`, before the ReLU; a
            constant.
        student_maps: same shape, before the ReLU.
        margin: float > 0, in units of the activations. Default 1.0.

    Returns:
        Float32 `(batch,)`, at least 0, the sum over neurons.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Heo et al., "Knowledge Transfer via Distillation of Activation Boundaries",
        AAAI 2019, https://arxiv.org/abs/1811.03233.
        Departures: none.

    Example:
        >>> on = ops.reshape(ops.array([5.0, -5.0]), (1, 1, 1, 2))
        >>> float(activation_boundary_distance(on, 0.0 * on)[0])
        2.0
    """
    teacher_maps, student_maps = maps.as_float32(teacher_maps, student_maps)
    maps.check_equal_shapes("activation_boundary_distance", teacher_maps, student_maps)
    signed = ops.where(teacher_maps > 0.0, student_maps, -student_maps)
    return ops.sum(ops.square(ops.relu(margin - signed)), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_kd")
class ActivationBoundaryDistillation(LayerPairLoss):
    """The student's neurons are on and off where the teacher's are (AB).

    L = 0.003 · Σ_i 2^(i - n + 1) · (squared hinge of pair i of n, summed over neurons).
    The student's maps go through a connector that trains with it: nothing where
    channels and size agree, else convolution and BatchNormalization. The authors train
    with this loss alone for the first 30 epochs, then go on without it.

    Args:
        teacher_layers: a path, or a list of paths from input to output, of layers that
            give maps `(height, width, channels)` before the ReLU.
        student_layers: as many of the student's, before the ReLU; half the teacher's
            size, the same, or larger.
        margin: float > 0, in units of the activations. Default 1.0, the authors'.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `margin` is not above 0; a layer gives no maps, or a student's maps
            are too small.

    Reference:
        Heo et al., "Knowledge Transfer via Distillation of Activation Boundaries",
        AAAI 2019, https://arxiv.org/abs/1811.03233.
        Departures: the factors 0.003 and 2^(i - n + 1) are those of the authors' code;
        connectors as in RepDistiller, see `make_regressor`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((1, 5)), {"bn": ops.ones((1, 2, 2, 3))})
        >>> student = ModelOutputs(ops.ones((1, 5)), {"bn": ops.zeros((1, 2, 2, 3))})
        >>> loss = ActivationBoundaryDistillation("bn", "bn")
        >>> round(float(loss(teacher, student)[0]), 3)
        0.036
    """

    def __init__(self, teacher_layers, student_layers, *, margin=1.0, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        check_positive("ActivationBoundaryDistillation", "margin", margin)
        self.margin = margin

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`; makes one connector per pair."""
        self.connectors = []
        pairs = maps.map_shapes(self, teacher_shapes, student_shapes)
        for number, (teacher_shape, student_shape) in enumerate(pairs):
            if teacher_shape[1:] == student_shape[1:]:
                connector = layers.Identity(dtype="float32")
            else:
                connector = make_regressor(teacher_shape, student_shape, relu=False)
            if connector is None:
                raise self.pair_error(
                    number,
                    "at least, or exactly half, the height and width",
                    teacher_shape,
                    student_shape,
                    "Choose an earlier layer of the student.",
                )
            self.connectors.append(connector)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        pairs = self.pairs(teacher.features, student.features)
        total = 0.0
        for number, (teacher_maps, student_maps) in enumerate(pairs):
            distance = activation_boundary_distance(
                teacher_maps, self.connectors[number](student_maps), margin=self.margin
            )
            total += 2.0 ** (number - len(pairs) + 1) * distance
        return _SCALE * total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "margin": self.margin}

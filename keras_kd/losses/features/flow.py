"""Flow between layers: how one map turns into the next (FSP)."""

import itertools

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd.losses.maps import (
    as_float32,
    heights_match,
    map_shapes,
    match_heights,
)
from keras_kd.losses.pairs import LayerPairLoss


def flow_matrix(bottom_maps, top_maps):
    """The FSP matrix of two maps of one network: products of their channels.

    The larger map is first pooled to the size of the smaller.

    Args:
        bottom_maps: float `(batch, height, width, bottom_channels)`.
        top_maps: float `(batch, height, width, top_channels)`.

    Returns:
        Float32 `(batch, top_channels, bottom_channels)`, means over positions.

    Reference:
        Yim et al., "A Gift from Knowledge Distillation", CVPR 2017,
        https://doi.org/10.1109/CVPR.2017.754.
        Departures: pooled by the mean, as in RepDistiller; the paper by the maximum.

    Example:
        >>> matrix = flow_matrix(ops.ones((1, 4, 4, 2)), 3.0 * ops.ones((1, 2, 2, 1)))
        >>> ops.convert_to_numpy(matrix).tolist()
        [[[3.0, 3.0]]]
    """
    bottom_maps, top_maps = match_heights(
        ops.cast(bottom_maps, "float32"), ops.cast(top_maps, "float32")
    )
    positions = top_maps.shape[1] * top_maps.shape[2]
    return ops.einsum("bhwj,bhwi->bji", top_maps, bottom_maps) / positions


def flow_distance(teacher_bottom, teacher_top, student_bottom, student_top):
    """Mean squared difference of the flow matrices of teacher and student.

    Args:
        teacher_bottom: float `(batch, height, width, bottom_channels)`; a constant.
        teacher_top: float `(batch, height, width, top_channels)`; a constant.
        student_bottom: of as many channels as `teacher_bottom`; of any size.
        student_top: of as many channels as `teacher_top`; of any size.

    Returns:
        Float32 `(batch,)`, at least 0.

    Raises:
        ValueError: The numbers of channels differ.

    Reference:
        Yim et al., "A Gift from Knowledge Distillation", CVPR 2017,
        https://doi.org/10.1109/CVPR.2017.754.
        Departures: the mean over the matrix, as in RepDistiller; the paper has the sum.

    Example:
        >>> ones = ops.ones((1, 2, 2, 3))
        >>> float(flow_distance(ones, ones, ones, 2.0 * ones)[0])
        1.0
    """
    teacher, student = as_float32(
        flow_matrix(teacher_bottom, teacher_top),
        flow_matrix(student_bottom, student_top),
    )
    if teacher.shape[1:] != student.shape[1:]:
        raise invalid(
            "flow_distance",
            f"student maps of the teacher's channels, {tuple(teacher.shape[1:])}",
            tuple(student.shape[1:]),
            "Choose layers of equal width.",
        )
    return ops.mean(ops.square(student - teacher), axis=(1, 2))


@keras.saving.register_keras_serializable(package="keras_kd")
class FlowDistillation(LayerPairLoss):
    """From layer to layer the student takes the same steps as the teacher (FSP).

    L = mean (G_s - G_t)², with G the products of the channels of two successive layers,
    averaged over positions. All pairs of successive layers are added.

    Args:
        teacher_layers: list of two or more paths of layers that give maps
            `(height, width, channels)`, from input to output.
        student_layers: as many of the student's, of the same numbers of channels; sizes
            may differ.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: Fewer than two layers; a layer gives no maps; teacher and student
            differ in channels; successive maps of different size are not square.

    Reference:
        Yim et al., "A Gift from Knowledge Distillation", CVPR 2017,
        https://doi.org/10.1109/CVPR.2017.754.
        Departures: see `flow_matrix` and `flow_distance`; trained along with the other
        losses, where the paper has a stage of its own.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> features = {"a": ops.ones((2, 4, 4, 3)), "b": ops.ones((2, 2, 2, 6))}
        >>> teacher = student = ModelOutputs(ops.ones((2, 5)), features)
        >>> loss = FlowDistillation(["a", "b"], ["a", "b"])
        >>> ops.convert_to_numpy(loss(teacher, student)).tolist()
        [0.0, 0.0]
    """

    published_weight = 50.0

    def __init__(self, teacher_layers, student_layers, *, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        if len(self.teacher_layers) < 2:
            raise invalid(
                "FlowDistillation",
                "at least two layers of each model, the flow is between layers",
                len(self.teacher_layers),
                "Name the first and the last layer of a stage.",
            )

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        pairs = map_shapes(self, teacher_shapes, student_shapes)
        for number, (teacher_shape, student_shape) in enumerate(pairs):
            if teacher_shape[-1] != student_shape[-1]:
                raise self.pair_error(
                    number,
                    "the number of channels",
                    teacher_shape,
                    student_shape,
                    "Choose layers of equal width.",
                )
        self._check_steps("teacher", self.teacher_layers, teacher_shapes.features)
        self._check_steps("student", self.student_layers, student_shapes.features)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        pairs = self.pairs(teacher.features, student.features)
        return sum(
            flow_distance(bottom[0], top[0], bottom[1], top[1])
            for bottom, top in itertools.pairwise(pairs)
        )

    def _check_steps(self, model, paths, shapes):
        for bottom, top in itertools.pairwise(paths):
            if not heights_match(shapes[bottom], shapes[top]):
                raise invalid(
                    type(self).__name__,
                    f'{model} layers "{bottom}" and "{top}" to give maps of one size, '
                    "or square ones",
                    f"{tuple(shapes[bottom][1:3])} and {tuple(shapes[top][1:3])}",
                    "Choose layers of one stage.",
                )

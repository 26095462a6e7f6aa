"""Pearson distillation: maps that agree up to the scale and offset of each channel."""

import keras
from keras import ops

from keras_kd._checks import check_choice
from keras_kd.losses.maps import map_shapes
from keras_kd.losses.pairs import LayerPairLoss

RESIZED = ("student", "teacher")


def pearson_gap(teacher_maps, student_maps, *, resize="student"):
    """Half the mean squared difference of two maps with standardised channels.

    Every channel is brought to mean 0 and deviation 1 over batch and positions, so that
    the value is (n - 1) / n · (1 - r), the mean over channels, with r the correlation
    over the n = batch · height · width numbers of a channel.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        student_maps: the same; another height and width is resized bilinearly.
        resize: "student" or "teacher", which of the two maps.

    Returns:
        Float32 scalar in [0, 2]: the statistics are those of the batch.

    Reference:
        Cao et al., "PKD: General Distillation Framework for Object Detectors via
        Pearson Correlation Coefficient", NeurIPS 2022, https://arxiv.org/abs/2207.02039.
        Departures: the deviation is the unbiased one, as in the authors' code. A
        channel that is constant counts as 0, with a finite gradient.

    Example:
        >>> teacher = ops.reshape(ops.arange(8.0), (2, 2, 2, 1))
        >>> round(float(pearson_gap(teacher, 3.0 * teacher + 1.0)), 3)
        0.0
        >>> round(float(pearson_gap(teacher, -teacher)), 3)
        1.75
    """
    teacher_maps = ops.stop_gradient(ops.cast(teacher_maps, "float32"))
    student_maps = ops.cast(student_maps, "float32")
    sizes = tuple(teacher_maps.shape[1:3]), tuple(student_maps.shape[1:3])
    if sizes[0] != sizes[1] or None in sizes[0]:
        if resize == "student":
            student_maps = _resize(student_maps, ops.shape(teacher_maps)[1:3])
        else:
            teacher_maps = _resize(teacher_maps, ops.shape(student_maps)[1:3])
    gap = _standardise(teacher_maps) - _standardise(student_maps)
    return ops.mean(ops.square(gap)) / 2


@keras.saving.register_keras_serializable(package="keras_kd")
class PearsonDistillation(LayerPairLoss):
    """The student's channels correlate with the teacher's (PKD).

    Made for the feature pyramids of detectors, whose scales differ between teacher and
    student.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(batch, height, width, channels)`.
        student_layers: as many of the student's, of as many channels.
        resize: "student" or "teacher", which map is brought to the size of the other
            where they differ. Default "student".
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `resize` is neither; a layer gives no maps; two layers differ in
            their channels.

    Reference:
        Cao et al., "PKD: General Distillation Framework for Object Detectors via
        Pearson Correlation Coefficient", NeurIPS 2022, https://arxiv.org/abs/2207.02039.
        Departures: see `pearson_gap`. The published weight is that of one-stage
        detectors; the authors give two-stage detectors 6.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> one = ModelOutputs(ops.ones((1, 5)), {"neck": ops.ones((1, 2, 2, 4))})
        >>> float(PearsonDistillation("neck", "neck")(one, one))
        0.0
    """

    compares_examples = True
    published_weight = 10.0

    def __init__(self, teacher_layers, student_layers, resize="student", *, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        check_choice("PearsonDistillation", "resize", resize, RESIZED)
        self.resize = resize

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        shapes = map_shapes(self, teacher_shapes, student_shapes, fixed_size=False)
        for number, (teacher, student) in enumerate(shapes):
            if teacher[-1] != student[-1]:
                raise self.pair_error(
                    number,
                    "the channels",
                    teacher,
                    student,
                    "Choose layers of equally many channels, such as the levels of "
                    "two feature pyramids.",
                )

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; a scalar, summed over the pairs."""
        return sum(
            pearson_gap(ours, theirs, resize=self.resize)
            for ours, theirs in self.pairs(teacher.features, student.features)
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "resize": self.resize}


def _resize(feature_maps, size):
    return ops.image.resize(
        feature_maps, size, interpolation="bilinear", data_format="channels_last"
    )


def _standardise(feature_maps):
    centred = feature_maps - ops.mean(feature_maps, axis=(0, 1, 2), keepdims=True)
    squares = ops.sum(ops.square(centred), axis=(0, 1, 2), keepdims=True)
    batch, height, width, _ = ops.shape(feature_maps)
    count = ops.cast(batch * height * width, "float32")
    variance = squares / ops.maximum(count - 1, 1.0)
    # The gradient of a square root is infinite at 0, where a channel is constant.
    is_constant = ops.equal(variance, 0.0)
    deviation = ops.sqrt(ops.where(is_constant, 1.0, variance))
    return centred / (ops.where(is_constant, 0.0, deviation) + 1e-6)

"""Channel-wise distillation: where each channel looks, as a distribution over a map."""

import keras
from keras import layers, ops

from keras_kd.losses import maps, schedules
from keras_kd.losses.pairs import LayerPairLoss


def channel_divergence(teacher_maps, student_maps, *, temperature):
    """Divergence between the channels of two maps, each softened over its positions.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        student_maps: same shape.
        temperature: float > 0; lower looks at the most salient positions only.

    Returns:
        Float32 `(batch,)`, at least 0: the mean over channels of the KL divergence
        summed over positions, scaled by temperature².

    Reference:
        Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV
        2021, https://arxiv.org/abs/2011.13256.
        Departures: computed from log-softmax, where the authors take the logarithm of
        a softmax, which is infinite on very peaked maps.

    Example:
        >>> teacher, student = ops.ones((1, 2, 2, 3)), ops.zeros((1, 2, 2, 3))
        >>> float(channel_divergence(teacher, student, temperature=4.0)[0])
        0.0
    """
    teacher = _log_attention(ops.stop_gradient(teacher_maps), temperature)
    student = _log_attention(student_maps, temperature)
    divergences = ops.sum(ops.exp(teacher) * (teacher - student), axis=1)
    return temperature**2 * ops.mean(divergences, axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class ChannelDistillation(LayerPairLoss):
    """The student looks, channel by channel, where the teacher looks (CWD).

    L = T²/C · Σ_c KL(softmax_positions(F_t,c / T) ‖ softmax_positions(F_s,c / T)). Made
    for logit maps of segmentation; also for features. A student map of another width
    first goes through a 1x1 convolution that trains with the student.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(batch, height, width, channels)`.
        student_layers: as many of the student's, of the same height and width.
        temperature: float > 0, or a Keras `LearningRateSchedule`. Default 4.0.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `temperature` is not above 0; a layer gives no maps; two maps differ
            in size.

    Reference:
        Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV
        2021, https://arxiv.org/abs/2011.13256.
        Departures: see `channel_divergence`. The published weight is that of logit
        maps; the authors give features 50.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((1, 5)), {"head": ops.ones((1, 2, 2, 5))})
        >>> float(ChannelDistillation("head", "head")(teacher, teacher)[0])
        0.0
    """

    published_weight = 3.0

    def __init__(self, teacher_layers, student_layers, temperature=4.0, *, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        schedules.check_schedule("ChannelDistillation", "temperature", temperature)
        self.temperature = temperature
        self.projections = []

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        shapes = maps.map_shapes(self, teacher_shapes, student_shapes, fixed_size=False)
        for number, (teacher, student) in enumerate(shapes):
            if tuple(teacher[1:-1]) != tuple(student[1:-1]):
                raise self.pair_error(
                    number,
                    "the height and width",
                    teacher,
                    student,
                    "Choose layers of the same stage.",
                )
            projection = layers.Identity(dtype="float32")
            if teacher[-1] != student[-1]:
                projection = maps.convolution(teacher[-1])
            projection.build((None, *student[1:]))
            self.projections.append(projection)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`, summed over the pairs."""
        pairs = self.pairs(teacher.features, student.features)
        temperature = schedules.value_at(self.temperature, self.iterations)
        return sum(
            channel_divergence(ours, projection(theirs), temperature=temperature)
            for projection, (ours, theirs) in zip(self.projections, pairs, strict=True)
        )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        temperature = schedules.to_config(self.temperature)
        return {**super().get_config(), "temperature": temperature}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        temperature = schedules.from_config(config["temperature"])
        return cls(**{**config, "temperature": temperature})


def _log_attention(feature_maps, temperature):
    """Log-softmax over positions, `(batch, positions, channels)`."""
    feature_maps = ops.cast(feature_maps, "float32")
    batch, channels = ops.shape(feature_maps)[0], feature_maps.shape[-1]
    flat = ops.reshape(feature_maps, (batch, -1, channels))
    return ops.log_softmax(flat / temperature, axis=1)

"""Attention transfer: where in the image the teacher is active."""

import keras
from keras import ops

from keras_kd._checks import check_positive, invalid
from keras_kd.losses.maps import (
    as_float32,
    match_heights,
    matching_map_shapes,
)
from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.pairs import LayerPairLoss


def attention_map(feature_maps, *, power=2):
    """How active each position is, over all channels, as a vector of length 1.

    Args:
        feature_maps: float `(batch, height, width, channels)`.
        power: int > 0, of the activations; a higher one looks at the peaks only.

    Returns:
        Float32 `(batch, height · width)`: the mean over channels of F^power, divided by
        its L2 norm; zero where all activations are.

    Reference:
        Zagoruyko and Komodakis, 2017, https://arxiv.org/abs/1612.03928.
        Departures: odd powers keep the sign, as in the authors' code.

    Example:
        >>> peak = ops.reshape(ops.array([0.0, 2.0]), (1, 1, 2, 1))
        >>> ops.convert_to_numpy(attention_map(peak)).tolist()
        [[0.0, 1.0]]
    """
    feature_maps = ops.cast(feature_maps, "float32")
    activity = ops.mean(feature_maps**power, axis=-1)
    positions = activity.shape[1] * activity.shape[2]
    return l2_normalise(ops.reshape(activity, (-1, positions)))


def attention_distance(teacher_maps, student_maps, *, power=2):
    """Mean squared difference of two attention maps.

    The larger map is first pooled to the size of the smaller.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        student_maps: the same, of any number of channels.
        power: int > 0, see `attention_map`. Default 2.

    Returns:
        Float32 `(batch,)`, from 0 to 4 / (height · width).

    Reference:
        Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017,
        https://arxiv.org/abs/1612.03928.
        Departures: the mean of squared differences, as in the authors' code, where the
        paper's equation 2 has the norm; that is √(height · width · this).

    Example:
        >>> left = ops.reshape(ops.array([1.0, 0.0]), (1, 1, 2, 1))
        >>> right = ops.reshape(ops.array([0.0, 3.0]), (1, 1, 2, 1))
        >>> float(attention_distance(left, right)[0])
        1.0
    """
    teacher_maps, student_maps = match_heights(*as_float32(teacher_maps, student_maps))
    difference = attention_map(student_maps, power=power) - attention_map(
        teacher_maps, power=power
    )
    return ops.mean(ops.square(difference), axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class AttentionDistillation(LayerPairLoss):
    """The student is active at the same places of the image as the teacher (AT).

    L = mean (a(F_s) - a(F_t))², with a(F) the mean over channels of F^power, divided by
    its L2 norm. Pairs of layers are added. Channels and sizes may differ.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(height, width, channels)`; usually the end of each stage.
        student_layers: as many of the student's.
        power: int > 0, of the activations. Default 2, the authors'.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `power` is not a whole number above 0; a layer gives no maps; maps
            of different size are not square.

    Reference:
        Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017,
        https://arxiv.org/abs/1612.03928.
        Departures: see `attention_distance`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 5)), {"block": ops.ones((2, 8, 8, 6))})
        >>> student = ModelOutputs(ops.ones((2, 5)), {"conv": ops.ones((2, 4, 4, 3))})
        >>> loss = AttentionDistillation("block", "conv")
        >>> ops.convert_to_numpy(loss(teacher, student)).tolist()
        [0.0, 0.0]
    """

    published_weight = 1000.0

    def __init__(self, teacher_layers, student_layers, *, power=2, name=None):
        super().__init__(teacher_layers, student_layers, name=name)
        check_whole_power("AttentionDistillation", "power", power)
        self.power = power

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        matching_map_shapes(self, teacher_shapes, student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        pairs = self.pairs(teacher.features, student.features)
        return sum(attention_distance(*pair, power=self.power) for pair in pairs)

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {**super().get_config(), "power": self.power}


def check_whole_power(where, name, power):
    """Raises unless `power` is a whole number above 0: activations may be negative."""
    check_positive(where, name, power)
    if power != int(power):
        raise invalid(
            where,
            f"`{name}` to be a whole number",
            repr(power),
            "Choose 1, 2, 3 or 4.",
        )

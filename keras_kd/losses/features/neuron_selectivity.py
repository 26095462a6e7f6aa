"""Neuron selectivity transfer: what the channels respond to, as a distribution."""

import keras
from keras import ops

from keras_kd.losses.maps import (
    as_float32,
    match_heights,
    matching_map_shapes,
)
from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.pairs import LayerPairLoss


def neuron_selectivity_discrepancy(teacher_maps, student_maps):
    """Squared maximum mean discrepancy between two sets of channels.

    Every channel is a vector over the positions, of length 1; the kernel is ⟨a, b⟩².
    The larger map is first pooled to the size of the smaller.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        student_maps: the same, of any number of channels.

    Returns:
        Float32 `(batch,)`, at least 0: k(T, T) + k(S, S) - 2 k(S, T), each the mean
        over all pairs of channels.

    Reference:
        Huang and Wang, "Like What You Like", 2017, https://arxiv.org/abs/1707.01219.
        Departures: none (its polynomial kernel, d = 2 and c = 0).

    Example:
        >>> left = ops.reshape(ops.array([1.0, 0.0]), (1, 1, 2, 1))
        >>> right = ops.reshape(ops.array([0.0, 3.0]), (1, 1, 2, 1))
        >>> float(neuron_selectivity_discrepancy(left, right)[0])
        2.0
    """
    teacher_maps, student_maps = match_heights(*as_float32(teacher_maps, student_maps))
    teacher, student = _channels(teacher_maps), _channels(student_maps)
    return (
        _similarity(teacher, teacher)
        + _similarity(student, student)
        - 2.0 * _similarity(student, teacher)
    )


def _channels(maps):
    """Maps as `(batch, positions, channels)`, every channel of length 1."""
    _, height, width, channels = maps.shape
    return l2_normalise(ops.reshape(maps, (-1, height * width, channels)), axis=1)


def _similarity(one, other):
    return ops.mean(ops.square(ops.einsum("bpi,bpj->bij", one, other)), axis=(1, 2))


@keras.saving.register_keras_serializable(package="keras_kd")
class NeuronSelectivityDistillation(LayerPairLoss):
    """The student's channels respond to the same regions as the teacher's (NST).

    L = k(T, T) + k(S, S) - 2 k(S, T), k the mean of ⟨a, b⟩² over all pairs of channels,
    each a vector over positions of length 1. Pairs of layers are added. Channels and
    sizes may differ.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(height, width, channels)`; usually the end of each stage.
        student_layers: as many of the student's.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: A layer gives no maps; maps of different size are not square.

    Reference:
        Huang and Wang, "Like What You Like", 2017, https://arxiv.org/abs/1707.01219.
        Departures: see `neuron_selectivity_discrepancy`.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 5)), {"block": ops.ones((2, 8, 8, 6))})
        >>> student = ModelOutputs(ops.ones((2, 5)), {"conv": ops.ones((2, 4, 4, 3))})
        >>> loss = NeuronSelectivityDistillation("block", "conv")
        >>> ops.convert_to_numpy(loss(teacher, student)).tolist()
        [0.0, 0.0]
    """

    published_weight = 50.0

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`."""
        matching_map_shapes(self, teacher_shapes, student_shapes)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        pairs = self.pairs(teacher.features, student.features)
        return sum(neuron_selectivity_discrepancy(*pair) for pair in pairs)

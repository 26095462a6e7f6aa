"""Factor transfer: the student learns what the teacher's features boil down to."""

import keras
from keras import layers, ops

from keras_kd._checks import check_choice, invalid
from keras_kd.losses import maps
from keras_kd.losses.features.attention import attention_map, check_whole_power
from keras_kd.losses.features.paraphraser import Paraphraser, coder
from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.pairs import LayerPairLoss


def factor_distance(teacher_factors, student_factors):
    """Mean absolute difference of two factors, each of length 1: the authors' loss.

    Args:
        teacher_factors: float `(batch, height, width, factor_channels)`; a constant.
        student_factors: same shape.

    Returns:
        Float32 `(batch,)`, at least 0.

    Raises:
        ValueError: The shapes differ.

    Reference:
        Kim et al., "Paraphrasing Complex Network", NeurIPS 2018,
        https://arxiv.org/abs/1802.04977.
        Departures: the mean, as in the authors' code, where the paper has the norm.

    Example:
        >>> left = ops.reshape(ops.array([2.0, 0.0]), (1, 1, 1, 2))
        >>> right = ops.reshape(ops.array([0.0, 3.0]), (1, 1, 1, 2))
        >>> float(factor_distance(left, right)[0])
        1.0
    """
    teacher, student = maps.as_float32(teacher_factors, student_factors)
    maps.check_equal_shapes("factor_distance", teacher, student)
    teacher, student = (
        l2_normalise(factors, axis=(1, 2, 3)) for factors in (teacher, student)
    )
    return ops.mean(ops.abs(student - teacher), axis=(1, 2, 3))


def factor_attention_distance(teacher_factors, student_factors, *, power=2, exponent=1):
    """Mean difference of two factors' attention maps: RepDistiller's loss.

    The larger factor is first pooled to the size of the smaller.

    Args:
        teacher_factors: float `(batch, height, width, channels)`; a constant.
        student_factors: the same, of any number of channels.
        power: int > 0, see `attention_map`. Default 2.
        exponent: 1 for the absolute difference, or 2 for its square. Default 1.

    Returns:
        Float32 `(batch,)`, at least 0.

    Reference:
        Kim et al., "Paraphrasing Complex Network", NeurIPS 2018,
        https://arxiv.org/abs/1802.04977.
        Departures: RepDistiller's loss, not the paper's; see `factor_distance`.

    Example:
        >>> left = ops.reshape(ops.array([2.0, 0.0]), (1, 1, 2, 1))
        >>> right = ops.reshape(ops.array([0.0, 3.0]), (1, 1, 2, 1))
        >>> float(factor_attention_distance(left, right)[0])
        1.0
    """
    teacher, student = maps.match_heights(
        *maps.as_float32(teacher_factors, student_factors)
    )
    difference = attention_map(student, power=power) - attention_map(
        teacher, power=power
    )
    return ops.mean(ops.abs(difference) ** exponent, axis=-1)


@keras.saving.register_keras_serializable(package="keras_kd")
class FactorDistillation(LayerPairLoss):
    """The student learns the factors a paraphraser finds in the teacher (FT).

    L = mean |n(translator(F_s)) - n(paraphraser(F_t))|, n the map brought to length 1.
    The translator, three convolutions with BatchNormalization, trains with the student;
    the paraphraser was trained before and stays as it is. Pairs of layers are added.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(height, width, channels)`; usually the last stage.
        student_layers: as many of the student's, of the same height and width, of any
            number of channels.
        paraphrasers: the `Paraphraser` of each teacher layer, from `fit_paraphraser`;
            one, or a list of them.
        power: None to compare whole factors, as the authors do, see `factor_distance`;
            or int > 0 for RepDistiller's form, which compares their attention maps
            (usually 2), see `attention_map`, and takes maps of any size. Default None.
        exponent: 1 or 2, of the difference of attention maps. Default 1.
        name: str, see `DistillationLoss`.

    Raises:
        ValueError: `power` or `exponent` is none of these; not as many paraphrasers as
            layers, or for another number of channels; a layer gives no maps; the sizes
            of the maps do not fit.

    Reference:
        Kim et al., "Paraphrasing Complex Network", NeurIPS 2018,
        https://arxiv.org/abs/1802.04977.
        Departures: none with power=None and the weight of 500; RepDistiller gives its
        own form 200.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((2, 5)), {"block": ops.ones((2, 8, 8, 6))})
        >>> student = ModelOutputs(ops.ones((2, 5)), {"conv": ops.ones((2, 8, 8, 3))})
        >>> loss = FactorDistillation("block", "conv", Paraphraser(6))
        >>> tuple(loss(teacher, student).shape)
        (2,)
    """

    published_weight = 500.0

    def __init__(
        self,
        teacher_layers,
        student_layers,
        paraphrasers,
        *,
        power=None,
        exponent=1,
        name=None,
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        if power is not None:
            check_whole_power("FactorDistillation", "power", power)
            self.published_weight = 200.0
        check_choice("FactorDistillation", "exponent", exponent, (1, 2))
        if isinstance(paraphrasers, Paraphraser):
            paraphrasers = [paraphrasers]
        if len(paraphrasers) != len(self.teacher_layers):
            raise invalid(
                "FactorDistillation",
                f"a paraphraser for each of {len(self.teacher_layers)} teacher_layers",
                len(paraphrasers),
                "Make each with fit_paraphraser(teacher, layer, batches).",
            )
        self.paraphrasers = list(paraphrasers)
        for paraphraser in self.paraphrasers:
            paraphraser.trainable = False
        self.power = power
        self.exponent = exponent

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`; makes one translator per pair."""
        self.translators = []
        shapes = maps.matching_map_shapes(self, teacher_shapes, student_shapes)
        for number, (teacher_shape, student_shape) in enumerate(shapes):
            self._check_pair(number, teacher_shape, student_shape)
            width = self.paraphrasers[number].factor_channels
            translator = coder(
                [student_shape[-1], width, width], layers.Conv2D, batch_norm=True
            )
            translator.build((None, None, None, student_shape[-1]))
            self.translators.append(translator)

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; `(batch,)`."""
        total = 0.0
        for number, pair in enumerate(self.pairs(teacher.features, student.features)):
            teacher_factors = self.paraphrasers[number].encode(pair[0])
            student_factors = self.translators[number](pair[1])
            if self.power is None:
                total += factor_distance(teacher_factors, student_factors)
            else:
                total += factor_attention_distance(
                    teacher_factors,
                    student_factors,
                    power=self.power,
                    exponent=self.exponent,
                )
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "paraphrasers": [
                keras.saving.serialize_keras_object(paraphraser)
                for paraphraser in self.paraphrasers
            ],
            "power": self.power,
            "exponent": self.exponent,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        paraphrasers = [
            keras.saving.deserialize_keras_object(paraphraser)
            for paraphraser in config["paraphrasers"]
        ]
        return cls(**{**config, "paraphrasers": paraphrasers})

    def _check_pair(self, number, teacher_shape, student_shape):
        if self.paraphrasers[number].channels != teacher_shape[-1]:
            raise invalid(
                "FactorDistillation",
                f'a paraphraser of the {teacher_shape[-1]} channels of teacher layer "'
                f'{self.teacher_layers[number]}"',
                self.paraphrasers[number].channels,
                "Fit it to that layer, and give them in the order of the layers.",
            )
        if self.power is None and teacher_shape[1:3] != student_shape[1:3]:
            raise self.pair_error(
                number,
                "the height and width",
                teacher_shape,
                student_shape,
                "Choose layers of one size, or pass power=2.",
            )

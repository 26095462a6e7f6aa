"""Masked generative distillation: rebuild the teacher's map from part of one's own."""

import keras
from keras import layers, ops

from keras_kd._checks import check_choice, check_fraction
from keras_kd.losses import maps
from keras_kd.losses.pairs import LayerPairLoss

# What is masked: the fraction, and the factor the authors give the loss.
_PUBLISHED = {"channels": (0.15, 7e-5), "positions": (0.75, 2e-5)}


def masked_generation_gap(teacher_maps, student_maps, *, mask, generator):
    """Squared difference of the teacher's map from one generated out of a masked map.

    Args:
        teacher_maps: float `(batch, height, width, channels)`; a constant.
        student_maps: same shape.
        mask: float of 0 (hidden) and 1 that broadcasts to the maps, such as
            `(batch, 1, 1, channels)` or `(batch, height, width, 1)`. What is left is
            not scaled up.
        generator: function of a map that returns one of the same shape.

    Returns:
        Float32 `(batch,)`, at least 0, the sum over positions and channels.

    Reference:
        Yang et al., "Masked Generative Distillation", ECCV 2022,
        https://arxiv.org/abs/2205.01529.
        Departures: none.

    Example:
        >>> teacher, student = ops.ones((1, 2, 2, 3)), ops.ones((1, 2, 2, 3))
        >>> mask = ops.array([1.0, 0.0, 1.0])
        >>> gap = masked_generation_gap(
        ...     teacher, student, mask=mask, generator=lambda maps: maps
        ... )
        >>> float(gap[0])
        4.0
    """
    teacher_maps = ops.stop_gradient(ops.cast(teacher_maps, "float32"))
    student_maps = ops.cast(student_maps, "float32")
    generated = generator(student_maps * ops.cast(mask, "float32"))
    return ops.sum(ops.square(generated - teacher_maps), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="keras_kd")
class MaskedGenerativeDistillation(LayerPairLoss):
    """The student's map, partly hidden, must suffice to generate the teacher's (MGD).

    L = ‖G(mask · A(F_s)) - F_t‖² with G two 3x3 convolutions around a ReLU, and A a 1x1
    convolution if the channels differ. Both train with the student.

    Args:
        teacher_layers: a path, or a list of paths, of layers that give maps
            `(batch, height, width, channels)`.
        student_layers: as many of the student's, of the same height and width.
        mask: "channels", which suits classification, or "positions", which suits
            segmentation and detection. Default "channels".
        masked_fraction: float in [0, 1], how much is hidden, at random and anew for
            every example; by default 0.15 of the channels or 0.75 of the positions.
            Nothing is hidden outside training.
        seed: int or None, of the masks.
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 7e-5 for channels, 2e-5 for positions: the loss is a sum over
            the map.

    Raises:
        ValueError: `mask` is neither; `masked_fraction` is not in [0, 1]; a layer gives
            no maps; two maps differ in size.

    Reference:
        Yang et al., "Masked Generative Distillation", ECCV 2022,
        https://arxiv.org/abs/2205.01529.
        Departures: none. The paper masks positions; for classification the authors ran
        masks of channels.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> teacher = ModelOutputs(ops.ones((1, 5)), {"block": ops.zeros((1, 2, 2, 4))})
        >>> student = ModelOutputs(ops.ones((1, 5)), {"conv": ops.zeros((1, 2, 2, 3))})
        >>> float(MaskedGenerativeDistillation("block", "conv")(teacher, student)[0])
        0.0
    """

    published_weight = _PUBLISHED["channels"][1]

    def __init__(
        self,
        teacher_layers,
        student_layers,
        mask="channels",
        masked_fraction=None,
        *,
        seed=None,
        name=None,
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        check_choice("MaskedGenerativeDistillation", "mask", mask, tuple(_PUBLISHED))
        default_fraction, self.published_weight = _PUBLISHED[mask]
        if masked_fraction is None:
            masked_fraction = default_fraction
        check_fraction(
            "MaskedGenerativeDistillation", "masked_fraction", masked_fraction
        )
        self.mask = mask
        self.masked_fraction = masked_fraction
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.aligners, self.generators = [], []

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
            channels = teacher[-1]
            aligner = layers.Identity(dtype="float32")
            if channels != student[-1]:
                aligner = maps.convolution(channels, use_bias=True)
            aligner.build((None, *student[1:]))
            generator = maps.stack(
                maps.convolution(channels, 3, use_bias=True),
                layers.ReLU(dtype="float32"),
                maps.convolution(channels, 3, use_bias=True),
            )
            generator.build((None, *teacher[1:]))
            self.aligners.append(aligner)
            self.generators.append(generator)

    def call(self, teacher, student, labels=None, training=False):
        """See `DistillationLoss.call`; `(batch,)`, summed over the pairs."""
        total = 0.0
        pairs = self.pairs(teacher.features, student.features)
        for number, (ours, theirs) in enumerate(pairs):
            aligned = self.aligners[number](theirs)
            mask = self._draw_mask(aligned) if training else 1.0
            total = total + masked_generation_gap(
                ours, aligned, mask=mask, generator=self.generators[number]
            )
        return total

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        return {
            **super().get_config(),
            "mask": self.mask,
            "masked_fraction": self.masked_fraction,
            "seed": self.seed,
        }

    def _draw_mask(self, feature_maps):
        batch, height, width, channels = ops.shape(feature_maps)
        if self.mask == "channels":
            shape = (batch, 1, 1, channels)
        else:
            shape = (batch, height, width, 1)
        draws = keras.random.uniform(shape, seed=self.seed_generator)
        return ops.cast(draws >= self.masked_fraction, "float32")

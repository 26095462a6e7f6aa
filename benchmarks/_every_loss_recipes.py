"""What `every_loss.py` compares: one network in two sizes, one recipe for each loss.

Each loss is used as its docstring says: on the layers its authors take, with the
default arguments, beside what it is meant to stand beside. What the authors count in
epochs (of 240, on CIFAR-100) is the same share of the training here.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers

from keras_kd import losses

STAGE_CHANNELS = (16, 32)
AUTHORS_EPOCHS = 240
# CRD draws 16384 negatives for each of CIFAR-100's 50000 training images.
NEGATIVES_PER_EXAMPLE = 16384 / 50000

# Layers of `network`, from input to output.
NORMS = ["norm_1", "norm_2"]
BLOCKS = ["block_1", "block_2"]
STAGES = ["stage_1", "stage_2"]
POOLED = "head/pooled"
CLASS_MAPS = "head/class_maps"

NO_KD = "no KD"
NO_KD_SIGMOID = "no KD, sigmoid"
PLAIN_KD = "SoftTargetDistillation"

NOT_APPLICABLE = {
    "PixelDistillation": "needs logits at every pixel, of a segmentation network",
    "TokenDistillation": "needs logits at every token, of a language model",
}


@keras.saving.register_keras_serializable("every_loss")
class ClassMapHead(layers.Layer):
    """Scores each class at each place; the mean over places is the logit.

    A dense layer on the pooled features would give the same logits without the maps.

    Args:
        num_classes: int.
        **kwargs: for `keras.layers.Layer`.
    """

    def __init__(self, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.pooled = layers.GlobalAveragePooling2D(name="pooled")
        self.class_maps = layers.Conv2D(num_classes, 1, name="class_maps")
        self.mean = layers.GlobalAveragePooling2D(name="mean")

    def build(self, input_shape):
        """Makes the weights of the one convolution."""
        self.class_maps.build(input_shape)

    def call(self, maps):
        """The logits `(batch, num_classes)`."""
        # For the losses that compare pooled vectors; the logits do not need them.
        self.pooled(maps)
        return self.mean(self.class_maps(maps))

    def get_config(self):
        """The arguments of the constructor."""
        return {**super().get_config(), "num_classes": self.num_classes}


def network(input_shape, num_classes, *, width, depth, name):
    """Two stages of 3x3 convolutions, each ended by a 1x1 convolution.

    Layers "norm_i" (before the ReLU) and "block_i" (after it) are of the last 3x3
    convolution of stage i and as wide as the network; "stage_i" has the same channels
    in teacher and student, for the losses that have no way to bring them together.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: int.
        width: int, 3x3 channels of the first stage; the second has twice as many.
        depth: int, 3x3 convolutions a stage.
        name: str.

    Returns:
        An untrained Functional `keras.Model` that gives logits.
    """
    inputs = keras.Input(input_shape, name="image")
    x = inputs
    for stage, channels in enumerate(STAGE_CHANNELS, start=1):
        for _ in range(depth - 1):
            x = _convolution(x, width * stage, 3)
        x = _convolution(x, width * stage, 3, f"norm_{stage}", f"block_{stage}")
        x = _convolution(x, channels, 1, relu_name=f"stage_{stage}")
        if stage < len(STAGE_CHANNELS):
            x = layers.MaxPooling2D(padding="same")(x)
    return keras.Model(inputs, ClassMapHead(num_classes, name="head")(x), name=name)


def _convolution(x, channels, size, norm_name=None, relu_name=None):
    x = layers.Conv2D(channels, size, padding="same", use_bias=False)(x)
    # Keras's momentum of 0.99 takes some 500 steps to forget its starting values.
    x = layers.BatchNormalization(momentum=0.9, name=norm_name)(x)
    return layers.ReLU(name=relu_name)(x)


@dataclass(frozen=True)
class Setting:
    """What a loss may need to know of the training.

    Attributes:
        teacher: the trained Keras model.
        teacher_batches: list of input batches, all that the teacher learned from.
        steps: int, of the whole training.
        num_examples: int, images the student learns from.
    """

    teacher: keras.Model
    teacher_batches: list
    steps: int
    num_examples: int

    @property
    def steps_per_epoch(self):
        """Steps in one of the authors' epochs, as a share of the training."""
        return max(1, round(self.steps / AUTHORS_EPOCHS))

    @functools.cached_property
    def paraphraser(self):
        """The teacher's `Paraphraser`, trained once."""
        keras.utils.set_random_seed(0)
        return losses.fit_paraphraser(self.teacher, "block_2", self.teacher_batches)


@dataclass(frozen=True)
class Recipe:
    """How one way of training the student is run.

    Attributes:
        title: str, its name in the table.
        losses: function from a `Setting` to a list of losses; None without a teacher.
        alpha: float, weight of the hard labels, see `keras_kd.Distiller`; 0.5 weighs
            the cross-entropy by 1 beside the published weight of the loss.
        is_sigmoid: bool, whether classes are independent yes/no labels.
        needs_ids: bool, whether the data must number the examples.
        is_tuned: bool, whether other factors than 1 make a difference.
        all_labels: bool, whether the student sees every label, not a few.
        reuses_classifier: bool, whether the teacher's classifier predicts.
        is_afterthought: bool, whether it was added when the others' results were known.
    """

    title: str
    losses: Callable | None = None
    alpha: float = 0.5
    is_sigmoid: bool = False
    needs_ids: bool = False
    is_tuned: bool = True
    all_labels: bool = False
    reuses_classifier: bool = False
    is_afterthought: bool = False


def _on_logits(title, name, **options):
    return Recipe(title, lambda setting: [getattr(losses, name)()], **options)


def _at_temperature(title, name, temperature, **options):
    return Recipe(
        f"{title}, temperature {temperature:g}",
        lambda setting: [getattr(losses, name)(temperature=temperature)],
        is_afterthought=True,
        **options,
    )


def _on_layers(title, name, paths):
    return Recipe(title, lambda setting: [getattr(losses, name)(paths, paths)])


def _with_steps(title, name):
    return Recipe(
        title, lambda setting: [getattr(losses, name)(setting.steps_per_epoch)]
    )


def _factor(setting):
    return [losses.FactorDistillation("block_2", "block_2", setting.paraphraser)]


def _overhaul(setting):
    return [losses.OverhaulDistillation.from_teacher(setting.teacher, NORMS, NORMS)]


def _spectral(setting):
    # A term to be added to soft targets.
    return [losses.SoftTargetDistillation(4.0), losses.SpectralDistillation()]


def _classifier_reuse(setting):
    return [losses.ClassifierReuseDistillation("stage_2", "stage_2")]


def _contrastive(setting):
    return [
        losses.ContrastiveDistillation(
            POOLED,
            POOLED,
            num_examples=setting.num_examples,
            num_negatives=round(NEGATIVES_PER_EXAMPLE * setting.num_examples),
        )
    ]


RECIPES = {
    NO_KD: Recipe("no KD", is_tuned=False),
    "no KD, every label": Recipe("no KD, every label", is_tuned=False, all_labels=True),
    PLAIN_KD: _on_logits("soft targets (plain KD)", PLAIN_KD),
    **{
        recipe[1]: _on_logits(*recipe)
        for recipe in (
            ("logit regression", "LogitRegressionDistillation"),
            ("DKD", "DecoupledDistillation"),
            ("NKD", "NormalizedDistillation"),
            ("DIST", "CorrelationDistillation"),
            ("LSKD", "StandardizedDistillation"),
            ("MLLD", "MultiLevelDistillation"),
            ("WSLD", "WeightedSoftLabelDistillation"),
            ("TTM", "TransformedTeacherDistillation"),
            ("Jensen-Shannon", "JensenShannonDistillation"),
            ("top-k targets", "SparseTargetDistillation"),
        )
    },
    "CurriculumTemperatureDistillation": _with_steps(
        "CTKD", "CurriculumTemperatureDistillation"
    ),
    "DynamicTemperatureDistillation": _with_steps(
        "DTKD", "DynamicTemperatureDistillation"
    ),
    "SpectralDistillation": Recipe("SKD, beside soft targets", _spectral),
    **{
        recipe[1]: _on_layers(*recipe)
        for recipe in (
            ("SDD", "ScaleDecoupledDistillation", CLASS_MAPS),
            ("FitNet", "HintDistillation", "block_1"),
            ("AT", "AttentionDistillation", BLOCKS),
            ("NST", "NeuronSelectivityDistillation", BLOCKS),
            ("FSP", "FlowDistillation", STAGES),
            ("AB", "ActivationBoundaryDistillation", NORMS),
            ("VID", "VariationalDistillation", BLOCKS),
            ("ReviewKD", "ReviewDistillation", [*NORMS, POOLED]),
            ("CAT-KD", "ClassAttentionDistillation", CLASS_MAPS),
            ("CWD", "ChannelDistillation", CLASS_MAPS),
            ("MGD", "MaskedGenerativeDistillation", "block_2"),
            ("ICKD", "InterChannelDistillation", "block_2"),
            ("PKD", "PearsonDistillation", STAGES),
            ("SRD", "RepresentationDistillation", POOLED),
            ("PAD", "PrimeAwareDistillation", POOLED),
            ("SP", "SimilarityDistillation", "stage_2"),
            ("CC", "CongruenceDistillation", POOLED),
            ("PKT", "ProbabilisticDistillation", POOLED),
            ("RKD", "RelationalDistillation", POOLED),
        )
    },
    "FactorDistillation": Recipe("FT", _factor),
    "OverhaulDistillation": Recipe("OFD", _overhaul),
    "ContrastiveDistillation": Recipe("CRD", _contrastive, needs_ids=True),
    "ClassifierReuseDistillation": Recipe("SimKD, student's head", _classifier_reuse),
    # The authors' setting: on the maps alone; the projector joins the student.
    "ClassifierReuseDistillation, teacher's head": Recipe(
        "SimKD, teacher's head",
        _classifier_reuse,
        alpha=0.0,
        is_tuned=False,
        reuses_classifier=True,
    ),
    # Its teacher too was trained for independent labels.
    NO_KD_SIGMOID: Recipe("no KD, sigmoid", is_sigmoid=True, is_tuned=False),
    "MultiLabelDistillation": _on_logits(
        "multi-label", "MultiLabelDistillation", is_sigmoid=True
    ),
    # Why did losses of temperature 1 not help?
    "SoftTargetDistillation, temperature 1": _at_temperature(
        "soft targets", PLAIN_KD, 1.0
    ),
    **{
        f"{recipe[1]}, temperature 4": _at_temperature(*recipe, 4.0)
        for recipe in (
            ("NKD", "NormalizedDistillation"),
            ("DIST", "CorrelationDistillation"),
            ("WSLD", "WeightedSoftLabelDistillation"),
            ("Jensen-Shannon", "JensenShannonDistillation"),
            ("top-k targets", "SparseTargetDistillation"),
        )
    },
    "MultiLabelDistillation, temperature 4": _at_temperature(
        "multi-label", "MultiLabelDistillation", 4.0, is_sigmoid=True
    ),
}

"""One of each distillation loss, for a pair of small models that fits them all."""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from keras_kd import losses
from keras_kd.outputs import ModelOutputs

BLOCKS = ["block_1", "block_2"]


def small_network():
    """Digits to logits: two blocks, class activation maps, their mean."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(6, 3, padding="same", name="conv_1")(inputs)
    x = layers.ReLU(name="block_1")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(6, 3, padding="same", name="conv_2")(x)
    x = layers.ReLU(name="block_2")(x)
    x = layers.Conv2D(10, 1, name="class_maps")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="pooled")(x))


def _factor():
    return losses.FactorDistillation("block_2", "block_2", [losses.Paraphraser(6)])


def _overhaul():
    return losses.OverhaulDistillation("conv_2", "conv_2", margins=[[-1.0] * 6])


# Losses on the logits `(batch, num_classes)` of a classifier.
ON_LOGITS = {
    "CorrelationDistillation": losses.CorrelationDistillation,
    "CurriculumTemperatureDistillation": lambda: (
        losses.CurriculumTemperatureDistillation(steps_per_epoch=1000)
    ),
    "DecoupledDistillation": losses.DecoupledDistillation,
    "DynamicTemperatureDistillation": lambda: losses.DynamicTemperatureDistillation(
        steps_per_epoch=1, warmup_epochs=1
    ),
    "JensenShannonDistillation": losses.JensenShannonDistillation,
    "LogitRegressionDistillation": losses.LogitRegressionDistillation,
    "MultiLabelDistillation": losses.MultiLabelDistillation,
    "MultiLevelDistillation": losses.MultiLevelDistillation,
    "NormalizedDistillation": losses.NormalizedDistillation,
    "SoftTargetDistillation": losses.SoftTargetDistillation,
    "SparseTargetDistillation": losses.SparseTargetDistillation,
    "SpectralDistillation": losses.SpectralDistillation,
    "StandardizedDistillation": losses.StandardizedDistillation,
    "TransformedTeacherDistillation": losses.TransformedTeacherDistillation,
    "WeightedSoftLabelDistillation": losses.WeightedSoftLabelDistillation,
}

# Losses on layers, made for one or two pairs of layers of the same name.
ON_LAYERS = {
    "ActivationBoundaryDistillation": lambda: losses.ActivationBoundaryDistillation(
        ["conv_1", "conv_2"], ["conv_1", "conv_2"]
    ),
    "AttentionDistillation": lambda: losses.AttentionDistillation(BLOCKS, BLOCKS),
    "ChannelDistillation": lambda: losses.ChannelDistillation("block_2", "block_2"),
    "ClassAttentionDistillation": lambda: losses.ClassAttentionDistillation(
        "class_maps", "class_maps"
    ),
    "ClassifierReuseDistillation": lambda: losses.ClassifierReuseDistillation(
        "block_2", "block_2"
    ),
    "CongruenceDistillation": lambda: losses.CongruenceDistillation(
        "block_2", "block_2"
    ),
    "ContrastiveDistillation": lambda: losses.ContrastiveDistillation(
        "pooled", "pooled", 64, num_negatives=32, embedding_dim=16, seed=0
    ),
    "FactorDistillation": _factor,
    "FlowDistillation": lambda: losses.FlowDistillation(BLOCKS, BLOCKS),
    "HintDistillation": lambda: losses.HintDistillation("block_2", "block_2"),
    "InterChannelDistillation": lambda: losses.InterChannelDistillation(
        "block_2", "block_2"
    ),
    "MaskedGenerativeDistillation": lambda: losses.MaskedGenerativeDistillation(
        "block_2", "block_2"
    ),
    "NeuronSelectivityDistillation": lambda: losses.NeuronSelectivityDistillation(
        BLOCKS, BLOCKS
    ),
    "OverhaulDistillation": _overhaul,
    "PearsonDistillation": lambda: losses.PearsonDistillation(BLOCKS, BLOCKS),
    "PrimeAwareDistillation": lambda: losses.PrimeAwareDistillation("pooled", "pooled"),
    "ProbabilisticDistillation": lambda: losses.ProbabilisticDistillation(
        "pooled", "pooled"
    ),
    "RelationalDistillation": lambda: losses.RelationalDistillation("pooled", "pooled"),
    "RepresentationDistillation": lambda: losses.RepresentationDistillation(
        "block_2", "block_2"
    ),
    "ReviewDistillation": lambda: losses.ReviewDistillation(BLOCKS, BLOCKS),
    "ScaleDecoupledDistillation": lambda: losses.ScaleDecoupledDistillation(
        "class_maps", "class_maps"
    ),
    "SimilarityDistillation": lambda: losses.SimilarityDistillation(BLOCKS, BLOCKS),
    "VariationalDistillation": lambda: losses.VariationalDistillation(BLOCKS, BLOCKS),
}

# Losses on logits that no plain image classifier has.
ON_POSITIONS = {
    "PixelDistillation": losses.PixelDistillation,
    "TokenDistillation": losses.TokenDistillation,
}

CLASSIFIERS = {**ON_LOGITS, **ON_LAYERS}
EVERY_LOSS = {**CLASSIFIERS, **ON_POSITIONS}

# One of each kind: on logits, on layers, with labels, weights, a memory of its own.
REPRESENTATIVES = (
    "AttentionDistillation",
    "ContrastiveDistillation",
    "CurriculumTemperatureDistillation",
    "DecoupledDistillation",
    "FactorDistillation",
    "HintDistillation",
    "MultiLabelDistillation",
    "RelationalDistillation",
    "SoftTargetDistillation",
    "WeightedSoftLabelDistillation",
)
# All others look at layers only.
USE_LOGITS = {*ON_LOGITS, *ON_POSITIONS, "RepresentationDistillation"}
# They have nothing to bring the student's channels to the teacher's.
OF_EQUAL_WIDTH = {
    "ClassAttentionDistillation",
    "FlowDistillation",
    "PearsonDistillation",
    "PrimeAwareDistillation",
    "ScaleDecoupledDistillation",
}

# What a network like `small_network` gives for one example.
NUM_CLASSES = 10
FEATURES = {
    "conv_1": (8, 8, 6),
    "block_1": (8, 8, 6),
    "conv_2": (4, 4, 6),
    "block_2": (4, 4, 6),
    "class_maps": (4, 4, NUM_CLASSES),
    "pooled": (NUM_CLASSES,),
}
POSITIONS = {"PixelDistillation": (3, 2), "TokenDistillation": (5,)}


class Batch(NamedTuple):
    """What a loss is called with: `loss(*batch[:3], example_ids=batch.example_ids)`.

    Attributes:
        teacher: `ModelOutputs` of float32 arrays.
        student: the same; its layers have fewer channels, if the loss allows it.
        labels: int array `(batch, ...)`, one for each decision.
        example_ids: int array `(batch,)`.
    """

    teacher: ModelOutputs
    student: ModelOutputs
    labels: np.ndarray
    example_ids: np.ndarray


def random_batch(name, batch_size=4):
    """Random outputs of two models that `EVERY_LOSS[name]()` fits, always the same."""
    generator = np.random.default_rng(0)
    layers_of_each = EVERY_LOSS[name]().teacher_layers
    decisions = (batch_size, *POSITIONS.get(name, ()))

    def draw(*shape):
        return generator.normal(0, 2, shape).astype("float32")

    def outputs(fewer):
        features = {}
        for path in layers_of_each:
            *size, channels = FEATURES[path]
            features[path] = draw(batch_size, *size, channels - fewer)
        return ModelOutputs(draw(*decisions, NUM_CLASSES), features)

    return Batch(
        teacher=outputs(fewer=0),
        student=outputs(fewer=0 if name in OF_EQUAL_WIDTH else 2),
        labels=generator.integers(0, NUM_CLASSES, decisions),
        example_ids=np.arange(batch_size),
    )

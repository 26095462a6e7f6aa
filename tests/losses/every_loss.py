"""One of each distillation loss, for a pair of small models that fits them all."""

import keras
from keras import layers

from keras_kd import losses

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

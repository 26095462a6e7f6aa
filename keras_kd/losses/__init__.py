"""Distillation losses: one paper, one file."""

from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.features.activation_boundary import (
    ActivationBoundaryDistillation,
    activation_boundary_distance,
)
from keras_kd.losses.features.attention import (
    AttentionDistillation,
    attention_distance,
    attention_map,
)
from keras_kd.losses.features.channel import ChannelDistillation, channel_divergence
from keras_kd.losses.features.class_attention import (
    ClassAttentionDistillation,
    class_attention_gap,
)
from keras_kd.losses.features.classifier_reuse import (
    ClassifierReuseDistillation,
    projected_feature_gap,
)
from keras_kd.losses.features.factor import (
    FactorDistillation,
    factor_attention_distance,
    factor_distance,
)
from keras_kd.losses.features.flow import FlowDistillation, flow_distance, flow_matrix
from keras_kd.losses.features.hint import HintDistillation, hint_error, make_regressor
from keras_kd.losses.features.inter_channel import (
    InterChannelDistillation,
    inter_channel_gap,
)
from keras_kd.losses.features.masked_generative import (
    MaskedGenerativeDistillation,
    masked_generation_gap,
)
from keras_kd.losses.features.neuron_selectivity import (
    NeuronSelectivityDistillation,
    neuron_selectivity_discrepancy,
)
from keras_kd.losses.features.overhaul import (
    OverhaulDistillation,
    negative_margins,
    overhaul_distance,
)
from keras_kd.losses.features.paraphraser import (
    Paraphraser,
    fit_paraphraser,
    reconstruction_error,
)
from keras_kd.losses.features.pearson import PearsonDistillation, pearson_gap
from keras_kd.losses.features.prime_aware import PrimeAwareDistillation, prime_aware_gap
from keras_kd.losses.features.representation import (
    RepresentationDistillation,
    representation_gap,
)
from keras_kd.losses.features.review import ReviewDistillation, hierarchical_context_gap
from keras_kd.losses.features.variational import (
    VariationalDistillation,
    variational_negative_log_likelihood,
)
from keras_kd.losses.keras_losses import KerasLossAdapter
from keras_kd.losses.logits.correlation import (
    CorrelationDistillation,
    correlation_divergence,
)
from keras_kd.losses.logits.curriculum_temperature import (
    CurriculumTemperatureDistillation,
    curriculum_scale,
)
from keras_kd.losses.logits.decoupled import DecoupledDistillation, decoupled_divergence
from keras_kd.losses.logits.dynamic_temperature import (
    DynamicTemperatureDistillation,
    dynamic_temperature_divergence,
)
from keras_kd.losses.logits.jensen_shannon import (
    JensenShannonDistillation,
    jensen_shannon_divergence,
)
from keras_kd.losses.logits.logit_regression import (
    LogitRegressionDistillation,
    logit_regression_divergence,
)
from keras_kd.losses.logits.multi_label import (
    MultiLabelDistillation,
    multi_label_divergence,
)
from keras_kd.losses.logits.multi_level import (
    MultiLevelDistillation,
    batch_correlation_gap,
    class_correlation_gap,
    multi_level_divergence,
)
from keras_kd.losses.logits.normalized import (
    NormalizedDistillation,
    normalized_divergence,
)
from keras_kd.losses.logits.pixel import PixelDistillation, pixel_divergence
from keras_kd.losses.logits.scale_decoupled import (
    ScaleDecoupledDistillation,
    scale_decoupled_divergence,
)
from keras_kd.losses.logits.soft_target import (
    SoftTargetDistillation,
    soft_target_divergence,
)
from keras_kd.losses.logits.sparse_target import (
    SparseTargetDistillation,
    sparse_target_divergence,
)
from keras_kd.losses.logits.spectral import SpectralDistillation, direction_divergence
from keras_kd.losses.logits.standardized import (
    StandardizedDistillation,
    standardized_logits,
)
from keras_kd.losses.logits.stored_target import (
    reinforced_target,
    renormalised_target,
    soft_label_divergence,
    uniform_tail_target,
)
from keras_kd.losses.logits.token import TokenDistillation, token_divergence
from keras_kd.losses.logits.transformed_teacher import (
    TransformedTeacherDistillation,
    transformed_teacher_divergence,
)
from keras_kd.losses.logits.weighted_soft_label import (
    WeightedSoftLabelDistillation,
    weighted_soft_label_divergence,
)
from keras_kd.losses.on_output import OnOutput
from keras_kd.losses.pairs import LayerPairLoss
from keras_kd.losses.relations.congruence import (
    CongruenceDistillation,
    kernel_congruence,
    neighbour_congruence,
)
from keras_kd.losses.relations.contrast import (
    contrast_normaliser,
    memory_similarities,
    noise_contrastive_error,
)
from keras_kd.losses.relations.contrastive import ContrastiveDistillation
from keras_kd.losses.relations.probabilistic import (
    ProbabilisticDistillation,
    neighbour_divergence,
)
from keras_kd.losses.relations.relational import (
    RelationalDistillation,
    angle_gap,
    distance_gap,
)
from keras_kd.losses.relations.similarity import SimilarityDistillation, similarity_gap
from keras_kd.losses.suggest import suggest_layers

__all__ = [
    "ActivationBoundaryDistillation",
    "AttentionDistillation",
    "ChannelDistillation",
    "ClassAttentionDistillation",
    "ClassifierReuseDistillation",
    "CongruenceDistillation",
    "ContrastiveDistillation",
    "CorrelationDistillation",
    "CurriculumTemperatureDistillation",
    "DecoupledDistillation",
    "DistillationLoss",
    "DynamicTemperatureDistillation",
    "FactorDistillation",
    "FlowDistillation",
    "HintDistillation",
    "InterChannelDistillation",
    "JensenShannonDistillation",
    "KerasLossAdapter",
    "LayerPairLoss",
    "LogitRegressionDistillation",
    "MaskedGenerativeDistillation",
    "MultiLabelDistillation",
    "MultiLevelDistillation",
    "NeuronSelectivityDistillation",
    "NormalizedDistillation",
    "OnOutput",
    "OverhaulDistillation",
    "Paraphraser",
    "PearsonDistillation",
    "PixelDistillation",
    "PrimeAwareDistillation",
    "ProbabilisticDistillation",
    "RelationalDistillation",
    "RepresentationDistillation",
    "ReviewDistillation",
    "ScaleDecoupledDistillation",
    "SimilarityDistillation",
    "SoftTargetDistillation",
    "SparseTargetDistillation",
    "SpectralDistillation",
    "StandardizedDistillation",
    "TokenDistillation",
    "TransformedTeacherDistillation",
    "VariationalDistillation",
    "WeightedSoftLabelDistillation",
    "activation_boundary_distance",
    "angle_gap",
    "attention_distance",
    "attention_map",
    "batch_correlation_gap",
    "channel_divergence",
    "class_attention_gap",
    "class_correlation_gap",
    "contrast_normaliser",
    "correlation_divergence",
    "curriculum_scale",
    "decoupled_divergence",
    "direction_divergence",
    "distance_gap",
    "dynamic_temperature_divergence",
    "factor_attention_distance",
    "factor_distance",
    "fit_paraphraser",
    "flow_distance",
    "flow_matrix",
    "hierarchical_context_gap",
    "hint_error",
    "inter_channel_gap",
    "jensen_shannon_divergence",
    "kernel_congruence",
    "logit_regression_divergence",
    "make_regressor",
    "masked_generation_gap",
    "memory_similarities",
    "multi_label_divergence",
    "multi_level_divergence",
    "negative_margins",
    "neighbour_congruence",
    "neighbour_divergence",
    "neuron_selectivity_discrepancy",
    "noise_contrastive_error",
    "normalized_divergence",
    "overhaul_distance",
    "pearson_gap",
    "pixel_divergence",
    "prime_aware_gap",
    "projected_feature_gap",
    "reconstruction_error",
    "reinforced_target",
    "renormalised_target",
    "representation_gap",
    "scale_decoupled_divergence",
    "similarity_gap",
    "soft_label_divergence",
    "soft_target_divergence",
    "sparse_target_divergence",
    "standardized_logits",
    "suggest_layers",
    "token_divergence",
    "transformed_teacher_divergence",
    "uniform_tail_target",
    "variational_negative_log_likelihood",
    "weighted_soft_label_divergence",
]

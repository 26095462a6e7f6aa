"""Distillation losses: one paper, one file."""

from keras_kd.losses.base import DistillationLoss
from keras_kd.losses.keras_losses import KerasLossAdapter
from keras_kd.losses.logits.multi_label import (
    MultiLabelDistillation,
    multi_label_divergence,
)
from keras_kd.losses.logits.soft_target import (
    SoftTargetDistillation,
    soft_target_divergence,
)

__all__ = [
    "DistillationLoss",
    "KerasLossAdapter",
    "MultiLabelDistillation",
    "SoftTargetDistillation",
    "multi_label_divergence",
    "soft_target_divergence",
]

"""Where teacher and student look, and what the soft targets say."""

from keras_kd.explain.agreement import (
    ClassAgreement,
    MapAgreement,
    map_agreement,
    rank_agreement,
)
from keras_kd.explain.maps import Maps, maps
from keras_kd.explain.outcomes import ClassOutcomes, Outcomes, outcomes
from keras_kd.explain.reliability import Reliability, reliability
from keras_kd.explain.soft_targets import (
    SoftTargetEntropy,
    class_similarity,
    most_informative,
    soft_target_entropy,
)

__all__ = [
    "ClassAgreement",
    "ClassOutcomes",
    "MapAgreement",
    "Maps",
    "Outcomes",
    "Reliability",
    "SoftTargetEntropy",
    "class_similarity",
    "map_agreement",
    "maps",
    "most_informative",
    "outcomes",
    "rank_agreement",
    "reliability",
    "soft_target_entropy",
]

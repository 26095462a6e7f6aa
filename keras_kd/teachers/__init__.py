"""Teachers: whatever answers a batch with logits and features."""

from keras_kd.teachers.base import Teacher
from keras_kd.teachers.beam import label_with_beam
from keras_kd.teachers.ensemble import Ensemble
from keras_kd.teachers.foreign import CallableTeacher
from keras_kd.teachers.frozen import FrozenTeacher
from keras_kd.teachers.label import label
from keras_kd.teachers.litert import LiteRtTeacher
from keras_kd.teachers.load_model import load_model
from keras_kd.teachers.mean_teacher import MeanTeacher
from keras_kd.teachers.precomputed import PrecomputedTeacher
from keras_kd.teachers.saved_model import SavedModelTeacher
from keras_kd.teachers.soft_targets import SoftTargets

__all__ = [
    "CallableTeacher",
    "Ensemble",
    "FrozenTeacher",
    "LiteRtTeacher",
    "MeanTeacher",
    "PrecomputedTeacher",
    "SavedModelTeacher",
    "SoftTargets",
    "Teacher",
    "label",
    "label_with_beam",
    "load_model",
]

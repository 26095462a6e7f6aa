"""The distiller: one training step, and what it checks before training."""

from keras_kd.distiller.chains import (
    TeacherChain,
    born_again,
    distill_through_assistants,
)
from keras_kd.distiller.checkpoint import Checkpoint
from keras_kd.distiller.distiller import Distiller
from keras_kd.distiller.distributed import worker_folder
from keras_kd.distiller.mutual import MutualDistiller

__all__ = [
    "Checkpoint",
    "Distiller",
    "MutualDistiller",
    "TeacherChain",
    "born_again",
    "distill_through_assistants",
    "worker_folder",
]

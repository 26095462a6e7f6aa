"""The distiller: one training step, and what it checks before training."""

from keras_kd.distiller.checkpoint import Checkpoint
from keras_kd.distiller.distiller import Distiller

__all__ = ["Checkpoint", "Distiller"]

"""The distiller: one training step, and what it checks before training."""

from keras_kd.distiller.distiller import Distiller

__all__ = ["Distiller"]

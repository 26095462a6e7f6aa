"""What Keras lacks for watching a distillation; its own callbacks need nothing special.

How far student and teacher agree is logged by `Distiller(teacher_agreement=True)`, and
needs no callback.
"""

from keras_kd.callbacks.calibration import ExpectedCalibrationError
from keras_kd.callbacks.class_table import ClassRow, ClassTable
from keras_kd.callbacks.per_class import PerClassComparison
from keras_kd.callbacks.stop_on_nan import StopOnNaN

__all__ = [
    "ClassRow",
    "ClassTable",
    "ExpectedCalibrationError",
    "PerClassComparison",
    "StopOnNaN",
]

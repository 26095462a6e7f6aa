"""Keras models to .tflite files, each with a manifest and a score of its own."""

from keras_kd._checks import ConversionError
from keras_kd.export.accuracy import Accuracy, accuracy, decide
from keras_kd.export.convert import PRECISIONS, convert
from keras_kd.export.litert import LiteRtModel
from keras_kd.export.manifest import Manifest, TensorInfo
from keras_kd.export.verify import Verification, verify

__all__ = [
    "PRECISIONS",
    "Accuracy",
    "ConversionError",
    "LiteRtModel",
    "Manifest",
    "TensorInfo",
    "Verification",
    "accuracy",
    "convert",
    "decide",
    "verify",
]

"""Keras models to .tflite files, each with a manifest and a score of its own."""

from keras_kd._checks import AccuracyTooLowError, ConversionError
from keras_kd.export._targets import Problem
from keras_kd.export.accuracy import Accuracy, accuracy, decide
from keras_kd.export.c_array import write_c_array
from keras_kd.export.convert import PRECISIONS, convert
from keras_kd.export.deployable import Deployability, check_deployable
from keras_kd.export.flips import Flip
from keras_kd.export.inspect import Inspection, Operation, Tensor, inspect
from keras_kd.export.layer_errors import LayerError
from keras_kd.export.litert import LiteRtModel
from keras_kd.export.manifest import Manifest, TensorInfo
from keras_kd.export.normalization import Normalization
from keras_kd.export.per_class import ClassChange
from keras_kd.export.plain_c import PlainC, write_plain_c
from keras_kd.export.quantization import float_layers, quantization_aware
from keras_kd.export.verification import Verification
from keras_kd.export.verify import verify

__all__ = [
    "PRECISIONS",
    "Accuracy",
    "AccuracyTooLowError",
    "ClassChange",
    "ConversionError",
    "Deployability",
    "Flip",
    "Inspection",
    "LayerError",
    "LiteRtModel",
    "Manifest",
    "Normalization",
    "Operation",
    "PlainC",
    "Problem",
    "Tensor",
    "TensorInfo",
    "Verification",
    "accuracy",
    "check_deployable",
    "convert",
    "decide",
    "float_layers",
    "inspect",
    "quantization_aware",
    "verify",
    "write_c_array",
    "write_plain_c",
]

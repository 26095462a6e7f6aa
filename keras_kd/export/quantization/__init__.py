"""Quantisation-aware training: students that learn with the roundings of their file."""

from keras_kd.export.quantization.checks import (
    check_ready,
    float_layers,
    input_range,
    is_quantization_aware,
    trained_precision,
)
from keras_kd.export.quantization.fake_quant import (
    fake_quantise,
    fake_quantise_weights,
    for_converter,
)
from keras_kd.export.quantization.quantization_aware import quantization_aware

__all__ = [
    "check_ready",
    "fake_quantise",
    "fake_quantise_weights",
    "float_layers",
    "for_converter",
    "input_range",
    "is_quantization_aware",
    "quantization_aware",
    "trained_precision",
]

"""Every kind of layer in a file: integers alone, and the numbers of the Keras model."""

import numpy as np
import pytest

from keras_kd.export import LiteRtModel, convert, inspect, quantization_aware
from keras_kd.export.quantization import trained_precision
from tests.export.quantization.models import (
    ACTIVATIONS,
    EVERY,
    OTHERS,
    WEIGHTED,
    examples,
    with_random_weights,
)

# Means of neighbours are rounded to their range in the file, and not in training.
LARGEST_ERROR_STEPS = {"average_pooling": 4, "bilinear": 4}


def _file_and_model(name, folder, bits=8):
    student = with_random_weights(EVERY[name]())
    model = quantization_aware(student, weights_bits=bits, strict=True)
    for seed in range(3):
        model(examples(student, seed=seed), training=True)
    path = folder / "student.tflite"
    convert(model, path, precision=trained_precision(model))
    return path, model


def _check(name, path, model):
    found = inspect(path)
    kinds = {
        tensor.dtype
        for operation in found.operations
        for tensor in (*operation.inputs, *operation.outputs)
    }
    assert "float32" not in kinds
    assert not found.float_islands
    file = LiteRtModel(path)
    x = examples(model, 16, seed=9)
    step = file.output["quantization"][0]
    steps = np.abs(file(x) - np.asarray(model(x, training=False))) / step
    assert steps.max() <= LARGEST_ERROR_STEPS.get(name, 3) + 1e-3
    assert steps.mean() < 0.6


@pytest.mark.quick_for("separable", "concatenate")
@pytest.mark.parametrize("name", [*WEIGHTED, *ACTIVATIONS, *OTHERS])
def test_file_is_all_integer_and_computes_what_the_model_does(name, tmp_path):
    _check(name, *_file_and_model(name, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["convolution", "separable", "transposed", "dense", "conv1d"]
)
def test_file_of_four_bit_weights_too(name, tmp_path):
    _check(name, *_file_and_model(name, tmp_path, bits=4))

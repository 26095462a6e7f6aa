"""A net with five architectures, and what each of them costs."""

import numpy as np
import pytest

from keras_kd.export import convert, inspect
from keras_kd.students import convnet, shrink


@pytest.fixture(scope="session")
def net():
    return convnet((8, 8, 1), 10, width=16)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def file_of():
    """A function that converts a model with weights as after training."""

    def inspection(model, folder, *, precision="int8", **options):
        random = np.random.default_rng(5)
        for weight in model.weights:
            is_scale = weight.name in ("gamma", "moving_variance")
            low, high = (0.5, 1.5) if is_scale else (-0.5, 0.5)
            weight.assign(random.uniform(low, high, weight.shape))
        x = random.uniform(size=(20, *model.input_shape[1:]))
        if model.inputs[0].dtype == "int32":
            x = random.integers(0, 50, x.shape)
        path = folder / "student.tflite"
        convert(model, path, precision=precision, calibration_data=x, **options)
        return inspect(path)

    return inspection


@pytest.fixture(scope="session")
def every_student(net, file_of, tmp_path_factory):
    """`(params, size_bytes, macs, arena_bytes)` of all, from few parameters to many.

    `test_widths_of_the_table_give_all_channels` shows that these are all.
    """
    found = []
    for width in (0.2, 0.5, 0.7, 0.8, 1.0):
        student = shrink(net, width=width)
        costs = file_of(student, tmp_path_factory.mktemp("file"))
        found.append(
            (
                student.count_params(),
                costs.size_bytes,
                costs.macs,
                costs.micro_arena_bytes,
            )
        )
    return found

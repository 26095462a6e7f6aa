"""Students that know something, as the files that every target runs."""

import keras
import numpy as np
import pytest

from keras_kd.export import convert
from keras_kd.students import convnet

PRECISIONS = ("float32", "int8")


@pytest.fixture(scope="session")
def digits_student(digits):
    """A convolutional network for digits, 8x8x1, trained for ten epochs."""
    return _trained("digits", (8, 8, 1), digits.train.arrays(), epochs=10)


@pytest.fixture(scope="session")
def digits_files(digits_student, digits, tmp_path_factory):
    """A dict of precision to the `Path` of the digits student's file.

    The int8 one has int8 input and output. The manifest lies beside each.
    """
    folder = tmp_path_factory.mktemp("digits")
    return _files(folder, digits_student, digits.train.arrays()[0])


@pytest.fixture(scope="session")
def digits_test(digits):
    """The test part of digits: `x` `(n, 8, 8, 1)`, `y` `(n,)`."""
    return digits.test.arrays()


@pytest.fixture(scope="session")
def colour_student():
    """A network of the kind for CIFAR-10, 32x32x3, that tells ten gratings apart."""
    return _trained("colour", (32, 32, 3), _gratings(600, seed=0), epochs=4)


@pytest.fixture(scope="session")
def colour_files(colour_student, tmp_path_factory):
    """As `digits_files`, of the network for colour images."""
    folder = tmp_path_factory.mktemp("colour")
    return _files(folder, colour_student, _gratings(200, seed=0)[0])


@pytest.fixture(scope="session")
def colour_test():
    """Gratings that the colour student has not seen: `x` `(100, 32, 32, 3)`, `y`."""
    return _gratings(100, seed=1)


def _trained(name, shape, data, *, epochs):
    keras.utils.set_random_seed(3)
    model = convnet(shape, 10, width=8, name=name)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(*data, epochs=epochs, verbose=0)
    return model


def _files(folder, model, calibration):
    files = {}
    for precision in PRECISIONS:
        files[precision] = folder / f"{model.name}-{precision}.tflite"
        convert(
            model,
            files[precision],
            precision=precision,
            calibration_data=calibration,
            labels=[f"class {number}" for number in range(10)],
        )
    return files


def _gratings(number, *, seed):
    """Noisy stripes in five directions and two colours: `x` in [0, 1], and classes."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 10, number)
    angle = y % 5 * np.pi / 5
    rows, columns = np.mgrid[:32, :32] * 0.8
    phase = generator.uniform(0, 2 * np.pi, number)
    waves = np.sin(
        np.multiply.outer(np.cos(angle), rows)
        + np.multiply.outer(np.sin(angle), columns)
        + phase[:, None, None]
    )
    colour = np.where(y[:, None] < 5, [0.4, 0.2, 0.1], [0.1, 0.2, 0.4])
    x = 0.5 + waves[..., None] * colour[:, None, None]
    x += generator.normal(0, 0.3, x.shape)
    return np.clip(x, 0, 1).astype("float32"), y

"""Runs to report on: small models that were trained a little, and their files."""

import shutil

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd.cli import _results
from keras_kd.export import convert

# Of a data set that wishes the page ill.
HOSTILE = (
    "<script>globalThis.hacked = 1</script>",
    '"><img src=x onerror="globalThis.hacked = 1">',
    "5$ to $7",
    "cats & dogs",
    "猫",
)


def trained(make_model, width, x, y, epochs):
    model = make_model(width)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(x, y, epochs=epochs, verbose=0)
    return model


def small_model(width):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(width, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5),
        ]
    )


@pytest.fixture(scope="session")
def hostile_data(digits, tmp_path_factory):
    """A data set of five digits with names that are no good for a page."""
    x, y = digits.train.arrays()
    chosen = y < len(HOSTILE)
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(path, x=x[chosen], y=np.array(HOSTILE)[y[chosen]])
    return keras_kd.data.load(f"npz:{path}")


@pytest.fixture(scope="session")
def whole_run(hostile_data, tmp_path_factory):
    """A folder as `keras-kd demo` leaves it."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("runs") / "<b>whole"
    folder.mkdir()
    x, y = hostile_data.train.arrays()
    plan = (("teacher", 12, 8), ("scratch", 4, 3), ("distilled", 4, 5))
    models = {
        name: trained(small_model, width, x, y, epochs) for name, width, epochs in plan
    }
    test = hostile_data.test.arrays()
    rows = []
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
        teacher = models["teacher"]
        rows.append(
            _results.keras_row(name, name, model, teacher, *test, labels=len(x))
        )
    path = folder / "student-float32.tflite"
    student = models["distilled"]
    manifest = convert(
        student, path, precision="float32", labels=hostile_data.class_names
    )
    row = _results.tflite_row(
        "student", manifest, path, student, teacher, *test, labels=len(x), latency=None
    )
    _results.write(folder / "results.json", [*rows, row], seed=0)
    return folder


@pytest.fixture
def run_folder(whole_run, tmp_path):
    """A copy of it that a test may damage."""
    return shutil.copytree(whole_run, tmp_path / "run")

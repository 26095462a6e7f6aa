"""Small real data and models that many tests share."""

import os
import shutil
import subprocess

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
import tensorflow as tf
from keras import layers

import keras_kd
from tests import programs

pytest_plugins = ["tests.real_size"]  # fixtures that rooms share

# Two logical devices, for the tests of distribution strategies.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration(), tf.config.LogicalDeviceConfiguration()],
)


_iterate = tf.data.Dataset.__iter__


def _iterate_untuned(dataset):
    """An iterator that ends at once: tf.data's autotuner makes short ones wait."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return _iterate(dataset.with_options(options))


tf.data.Dataset.__iter__ = _iterate_untuned


def pytest_collection_modifyitems(config, items):
    """Of a test marked `quick_for`, marks all other parameters slow."""
    named, found = set(), set()
    for item in items:
        for marker in item.iter_markers("quick_for"):
            name = item.nodeid.partition("[")[0]
            named |= {(name, one) for one in marker.args}
            found.add((name, item.callspec.id))
            if item.callspec.id not in marker.args:
                item.add_marker(pytest.mark.slow)
    is_whole = not any("::" in argument for argument in config.args)
    if is_whole and named - found:
        raise pytest.UsageError(f"quick_for names no parameters: {named - found}")


def pytest_runtest_setup(item):
    for marker in item.iter_markers("needs"):
        programs.need(*marker.args)


def pytest_terminal_summary(terminalreporter):
    line = programs.summary(terminalreporter.stats.get("skipped", []))
    if line:
        terminalreporter.write_sep("=", "programs that are missing")
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def same_random_numbers():
    keras.utils.set_random_seed(1)


@pytest.fixture(scope="session")
def two_replicas():
    """A strategy on two devices, the same for all tests of a process.

    TensorFlow numbers the collective operations of every strategy from the start, and
    takes those of two strategies on the same devices for each other's.
    """
    return tf.distribute.MirroredStrategy(tf.config.list_logical_devices("CPU"))


@pytest.fixture(scope="session")
def digits():
    return keras_kd.data.load("digits")


@pytest.fixture(scope="session")
def arrays(digits):
    """320 digits: `x` `(320, 8, 8, 1)`, `y` `(320,)`."""
    x, y = digits.train.arrays()
    return x[:320], y[:320]


def small_classifier(units=8, activation=None, *, batch_norm=False, regularizer=None):
    stack = [
        keras.Input((8, 8, 1), name="image"),
        layers.Conv2D(
            4, 3, activation="relu", name="conv", kernel_regularizer=regularizer
        ),
        layers.BatchNormalization(name="norm") if batch_norm else layers.ReLU(),
        layers.Flatten(),
        layers.Dense(units, activation="relu", name="hidden"),
        layers.Dense(10, activation=activation, name="scores"),
    ]
    return keras.Sequential(stack)


@pytest.fixture
def make_model():
    """A function that makes a small classifier of digits."""
    return small_classifier


@pytest.fixture(scope="session")
def teacher_weights(arrays):
    """Of a classifier that knows something: a few epochs on 320 digits."""
    keras.utils.set_random_seed(1)
    model = small_classifier(32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(*arrays, epochs=3, verbose=0)
    return model.get_weights()


@pytest.fixture
def teacher(make_model, teacher_weights):
    """A trained teacher, a new model for each test, compiled."""
    model = make_model(32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.set_weights(teacher_weights)
    return model


@pytest.fixture
def student(make_model):
    return make_model(6)


@pytest.fixture
def disk(tmp_path):
    """A folder on a disk of 300 kB, where one can be mounted; None elsewhere."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder]
    if (
        not shutil.which("mount")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        yield None
        return
    yield folder
    subprocess.run(["umount", folder], check=True)

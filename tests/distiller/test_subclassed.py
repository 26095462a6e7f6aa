"""Students that only their first batch builds are saved, and checked, like others."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd
from keras_kd.losses import HintDistillation, SoftTargetDistillation


@keras.saving.register_keras_serializable("tests")
class Small(keras.Model):
    """Takes `(batch, 8, 8, 1)`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(3, 3, activation="relu", name="hidden")
        self.flatten = layers.Flatten()
        self.scores = layers.Dense(10)

    def call(self, inputs):
        return self.scores(self.flatten(self.conv(inputs)))


@keras.saving.register_keras_serializable("tests")
class Tagger(keras.Model):
    """Takes token numbers `(batch, length)`, which no float input stands for."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(9, 4)
        self.pool = layers.GlobalAveragePooling1D()
        self.scores = layers.Dense(3)

    def call(self, inputs):
        return self.scores(self.pool(self.embedding(inputs)))


@keras.saving.register_keras_serializable("tests")
class Pair(keras.Model):
    """Takes a dict of two vectors."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scores = layers.Dense(3)

    def call(self, inputs):
        return self.scores(layers.concatenate([inputs["a"], inputs["b"]]))


def images():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(32, 8, 8, 1)).astype("float32")
    return Small, x, generator.integers(0, 10, 32)


def tokens():
    generator = np.random.default_rng(0)
    return Tagger, generator.integers(0, 9, (32, 5)), generator.integers(0, 3, 32)


def pairs():
    generator = np.random.default_rng(0)
    draw = generator.normal(size=(2, 32, 4)).astype("float32")
    return Pair, {"a": draw[0], "b": draw[1]}, generator.integers(0, 3, 32)


KINDS = [images, tokens, pairs]
of_each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def distiller_for(kind):
    """A distiller that has seen nothing yet, and its data."""
    model, x, y = kind()
    keras.utils.set_random_seed(2)
    teacher = model()
    teacher(x)
    losses = [SoftTargetDistillation(2.0)]
    if model is Small:
        losses.append(HintDistillation("hidden", "hidden"))
    alpha = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.1)
    distiller = keras_kd.Distiller(teacher, model(), losses, alpha=alpha)
    distiller.compile("adam", metrics=["accuracy"])
    return distiller, x, y


def fit(distiller, x, y, **options):
    return distiller.fit(x, y, batch_size=8, shuffle=False, verbose=0, **options)


def assert_goes_on_alike(one, other, x, y):
    """The second is a copy that was loaded: both end the same after another epoch."""
    assert int(other.optimizer.iterations) == int(one.optimizer.iterations) > 0
    for each in (one, other):
        fit(each, x, y)
    for ours, theirs in zip(one.variables, other.variables, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-7)
    for ours, theirs in zip(
        one.optimizer.variables, other.optimizer.variables, strict=True
    ):
        np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-7)


@pytest.mark.quick_for("images")
@of_each_kind
def test_file_keeps_the_optimizer_and_its_steps(kind, tmp_path):
    distiller, x, y = distiller_for(kind)
    fit(distiller, x, y)
    distiller.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    loaded.attach_teacher(distiller.teacher.model)
    assert_goes_on_alike(distiller, loaded, x, y)


@pytest.mark.quick_for("tokens")
@of_each_kind
def test_checkpoints_of_weights_come_back(kind, tmp_path):
    distiller, x, y = distiller_for(kind)
    path = tmp_path / "d.weights.h5"
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    fit(distiller, x, y, callbacks=[checkpoint])
    other, *_ = distiller_for(kind)
    fit(other, x, y)
    other.load_weights(path)
    assert_goes_on_alike(distiller, other, x, y)


@pytest.mark.quick_for("pairs")
@of_each_kind
def test_backup_goes_on_where_it_stopped(kind, tmp_path):
    whole, x, y = distiller_for(kind)
    fit(whole, x, y, epochs=3)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    for callbacks in ([Stop()], []):
        distiller, *_ = distiller_for(kind)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        try:
            fit(distiller, x, y, epochs=3, callbacks=[backup, *callbacks])
        except KeyboardInterrupt:
            continue
    for ours, theirs in zip(whole.variables, distiller.variables, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-7)


@of_each_kind
@pytest.mark.parametrize("method", ["evaluate", "train_on_batch", "test_on_batch"])
def test_whatever_runs_first_builds_it(kind, method, tmp_path):
    distiller, x, y = distiller_for(kind)
    getattr(distiller, method)(x, y)
    assert distiller.built
    distiller.save_weights(tmp_path / "d.weights.h5")


def test_predict_builds_the_student_as_plain_keras_does():
    distiller, x, _ = distiller_for(images)
    assert distiller.predict(x, verbose=0).shape == (32, 10)
    assert distiller.student.built

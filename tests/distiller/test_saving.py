"""A distiller's file: the student, the losses, the optimizer; never the teacher."""

import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd.losses import DistillationLoss, SoftTargetDistillation


@keras.saving.register_keras_serializable("tests")
class Regression(DistillationLoss):
    def __init__(self, **kwargs):
        super().__init__(teacher_layers=["hidden"], student_layers=["hidden"], **kwargs)

    def build(self, teacher_shapes, student_shapes):
        self.regressor = keras.layers.Dense(teacher_shapes.features["hidden"][-1])
        self.regressor.build(student_shapes.features["hidden"])

    def call(self, teacher, student, labels=None):
        gap = self.regressor(student.features["hidden"]) - teacher.features["hidden"]
        return keras.ops.mean(keras.ops.square(gap), axis=-1)


@pytest.fixture
def trained(teacher, student, arrays):
    alpha = keras.optimizers.schedules.CosineDecay(0.9, 40)
    losses = [SoftTargetDistillation(2.0), Regression()]
    distiller = keras_kd.Distiller(teacher, student, losses, [1.0, 0.5], alpha=alpha)
    distiller.compile("adam", metrics=["accuracy"])
    distiller.fit(*arrays, verbose=0, shuffle=False)
    return distiller


@pytest.fixture
def file(trained, tmp_path):
    trained.save(tmp_path / "distiller.keras")
    return tmp_path / "distiller.keras"


@pytest.mark.slow
def test_reloaded_distiller_predicts_and_evaluates_without_its_teacher(
    trained, file, arrays
):
    loaded = keras.models.load_model(file)
    x, y = arrays
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), trained.predict(x, verbose=0)
    )
    logs = loaded.evaluate(x, y, return_dict=True, verbose=0)
    expected = trained.evaluate(x, y, return_dict=True, verbose=0)
    assert set(logs) == {"loss", "student_loss", "accuracy"}
    assert logs["student_loss"] == pytest.approx(expected["student_loss"], rel=1e-6)
    assert logs["loss"] == pytest.approx(logs["student_loss"], rel=1e-6)


def test_reloaded_distiller_asks_for_its_teacher_before_fit(file, arrays):
    loaded = keras.models.load_model(file)
    with pytest.raises(ValueError, match="attach_teacher"):
        loaded.fit(*arrays)
    with pytest.raises(ValueError, match="attach_teacher"):
        loaded.train_on_batch(*arrays)


def test_training_continues_exactly(trained, file, teacher, arrays):
    loaded = keras.models.load_model(file)
    loaded.attach_teacher(teacher)
    for distiller in (trained, loaded):
        distiller.fit(*arrays, verbose=0, shuffle=False, epochs=2)
    for a, b in zip(trained.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    ours, theirs = (d.optimizer.variables for d in (trained, loaded))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_another_teacher_is_refused_by_its_fingerprint(file, make_model):
    loaded = keras.models.load_model(file)
    with pytest.raises(ValueError, match="fingerprint"):
        loaded.attach_teacher(make_model(32))


@pytest.mark.slow
def test_file_holds_nothing_of_the_teacher(make_model, student, arrays, tmp_path):
    teacher = make_model(3000)
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("sgd")
    distiller.train_on_batch(*arrays)
    path = tmp_path / "distiller.keras"
    distiller.save(path)
    assert path.stat().st_size < teacher.count_params()
    with zipfile.ZipFile(path) as file:
        assert '"units": 3000' not in json.dumps(json.loads(file.read("config.json")))


@pytest.mark.slow
def test_weights_file_round_trips(trained, tmp_path, teacher, make_model):
    path = tmp_path / "distiller.weights.h5"
    trained.save_weights(path)
    losses = [SoftTargetDistillation(2.0), Regression()]
    other = keras_kd.Distiller(teacher, make_model(6), losses)
    other.load_weights(path)
    for a, b in zip(trained.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_student_is_saved_on_its_own_without_the_losses(trained, tmp_path, arrays):
    path = tmp_path / "student.keras"
    trained.student.save(path)
    loaded = keras.models.load_model(path)
    assert loaded.count_params() == trained.student.count_params()
    np.testing.assert_array_equal(
        loaded.predict(arrays[0], verbose=0), trained.predict(arrays[0], verbose=0)
    )


def test_config_keeps_schedules_and_an_inferred_loss(trained, file):
    loaded = keras.models.load_model(file)
    assert float(loaded.objective.alpha(20)) == pytest.approx(
        float(trained.objective.alpha(20))
    )
    assert loaded.infers_hard_loss
    assert loaded.objective.weights == [1.0, 0.5]


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import keras, keras_kd",
        "import keras_kd, keras",
        "from keras_kd import losses; import keras",
    ],
)
def test_a_fresh_process_loads_it_with_keras_kd_imported_in_any_order(
    teacher, student, arrays, tmp_path, imports
):
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("sgd")
    distiller.train_on_batch(*arrays)
    distiller.save(tmp_path / "distiller.keras")
    program = (
        f"{imports}; import sys\n"
        "print(type(keras.models.load_model(sys.argv[1])).__name__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "distiller.keras"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip().endswith("Distiller")


def test_model_checkpoint_works(trained, arrays, tmp_path):
    path = tmp_path / "best.keras"
    callback = keras.callbacks.ModelCheckpoint(
        path, monitor="loss", save_best_only=True
    )
    trained.fit(*arrays, verbose=0, callbacks=[callback])
    assert isinstance(keras.models.load_model(path), keras_kd.Distiller)


@pytest.mark.slow
def test_preprocessing_of_the_teacher_must_come_back_with_it(
    teacher, student, arrays, tmp_path
):
    def doubled(x):
        return 2.0 * x

    distiller = keras_kd.Distiller(teacher, student, teacher_preprocessing=doubled)
    distiller.compile("sgd")
    distiller.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    with pytest.raises(ValueError, match="teacher_preprocessing if it had one"):
        loaded.attach_teacher(teacher)
    loaded.attach_teacher(teacher, teacher_preprocessing=doubled)
    ours, theirs = (
        model.evaluate(*arrays, return_dict=True, verbose=0)
        for model in (distiller, loaded)
    )
    assert theirs == pytest.approx(ours, rel=1e-6)

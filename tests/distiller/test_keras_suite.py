"""The behaviours that Keras's own tests of `keras.distillation` check, held by ours."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import log_softmax, softmax

import keras_kd

LogitsDistillation = keras.distillation.LogitsDistillation
FeatureDistillation = keras.distillation.FeatureDistillation
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
T = 3.0


@keras.saving.register_keras_serializable("tests_suite")
class Subclassed(keras.Model):
    """A model that says nothing of its inputs and outputs before it has run."""

    def __init__(self, width=16, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.hidden = layers.Dense(width, activation="relu", name="hidden")
        self.scores = layers.Dense(10, name="scores")

    def call(self, inputs, training=None):
        return self.scores(self.hidden(inputs))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def stacked(first, *, built=True):
    """A Sequential of three layers, of which only the first may differ."""
    stack = [
        layers.Dense(first, activation="relu", name="first"),
        layers.Dense(12, activation="relu", name="second"),
        layers.Dense(10, name="scores"),
    ]
    return keras.Sequential(([keras.Input((5,))] if built else []) + stack)


@pytest.fixture
def models():
    """Teacher and student that are subclassed, as in Keras's tests."""
    pair = Subclassed(32), Subclassed(16)
    for model in pair:
        model(np.zeros((2, 5), "float32"))
    return pair


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    return generator.random((40, 5), "float32"), generator.integers(0, 10, 40)


def softened():
    return LogitsDistillation(T, keras.losses.KLDivergence())


def make(teacher, student, losses=None, weights=None, *, alpha=0.5):
    distiller = keras_kd.Distiller(
        teacher, student, losses or softened(), weights, alpha=alpha
    )
    distiller.compile("adam", CROSS_ENTROPY, metrics=["accuracy"], jit_compile=False)
    return distiller


def outputs_of(model, x):
    return np.asarray(model(x), "float64")


def divergence(z_t, z_s):
    gap = log_softmax(z_t / T, axis=-1) - log_softmax(z_s / T, axis=-1)
    return T**2 * (softmax(z_t / T, axis=-1) * gap).sum(axis=-1)


def evaluated(distiller, x, y):
    return distiller.evaluate(x, y, batch_size=len(x), return_dict=True, verbose=0)


def test_arguments_are_kept(models):
    distiller = make(*models, alpha=0.5)
    assert distiller.objective.alpha == 0.5
    (loss,) = distiller.distillation_losses
    assert isinstance(loss.loss, LogitsDistillation)
    assert loss.loss.temperature == T
    assert distiller.student is models[1]
    assert distiller.compiled


def test_call_gives_the_students_outputs(models, data):
    distiller = make(*models)
    outputs = distiller(data[0])
    assert outputs.shape == (40, 10)
    np.testing.assert_array_equal(outputs, models[1](data[0]))
    assert np.abs(outputs - models[0](data[0])).max() > 1e-3


def test_the_teacher_is_frozen_for_the_distiller_and_not_for_its_owner(models, data):
    teacher, student = models
    before = teacher.get_weights()
    distiller = make(teacher, student)
    distiller.fit(*data, verbose=0)
    for was, now in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    assert len(distiller.trainable_variables) == len(student.trainable_variables)
    assert teacher.trainable
    assert student.trainable
    assert len(teacher.trainable_variables) == len(before)


@pytest.mark.slow
def test_a_teacher_frozen_by_its_owner_stays_frozen(models, data):
    teacher, student = models
    teacher.trainable = False
    make(teacher, student).fit(*data, verbose=0)
    assert not teacher.trainable
    assert not teacher.trainable_variables


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("no model", stacked(4)),
        (stacked(4), "no model"),
        (stacked(4), None),
        (
            keras.Sequential([keras.Input((5,)), layers.Dense(9)]),
            stacked(4),
        ),
        (
            keras.Sequential([keras.Input((6,)), layers.Dense(10)]),
            stacked(4),
        ),
    ],
    ids=["teacher", "student", "none", "classes", "inputs"],
)
def test_models_that_do_not_fit_are_refused(teacher, student):
    with pytest.raises(ValueError, match="expected"):
        keras_kd.Distiller(teacher, student, softened())


@pytest.mark.slow
def test_several_losses_are_weighted_and_logged_each(models, data):
    losses = [softened(), LogitsDistillation(2.0, keras.losses.MeanSquaredError())]
    distiller = make(*models, losses, [0.7, 0.3])
    assert distiller.objective.weights == [0.7, 0.3]
    logs = evaluated(distiller, *data)
    z_t, z_s = (outputs_of(model, data[0]) for model in models)
    soft = divergence(z_t, z_s).mean(), np.square((z_t - z_s) / 2.0).mean()
    hard = -log_softmax(z_s, axis=-1)[np.arange(40), data[1]].mean()
    assert logs["logits_loss"] == pytest.approx(soft[0], rel=1e-3)
    assert logs["logits_2_loss"] == pytest.approx(soft[1], rel=1e-4)
    assert logs["student_loss"] == pytest.approx(hard, rel=1e-4)
    total = 0.5 * hard + 0.5 * (0.7 * soft[0] + 0.3 * soft[1])
    assert logs["loss"] == pytest.approx(total, rel=1e-4)
    history = distiller.fit(*data, verbose=0).history
    assert {"loss", "student_loss", "logits_loss", "logits_2_loss"} <= set(history)


def test_without_weights_all_losses_count_alike(models, data):
    distiller = make(*models, [softened(), LogitsDistillation(2.0, "mse")], alpha=0.0)
    logs = evaluated(distiller, *data)
    both = logs["logits_loss"] + logs["logits_2_loss"]
    assert logs["loss"] == pytest.approx(both, rel=1e-5)


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.3, 0.2], []])
def test_another_number_of_weights_is_refused(models, weights):
    with pytest.raises(ValueError, match="2 losses and"):
        keras_kd.Distiller(*models, [softened(), softened()], weights)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, "0.5", None])
def test_a_weight_out_of_range_is_refused(models, alpha):
    with pytest.raises(ValueError, match="alpha"):
        keras_kd.Distiller(*models, softened(), alpha=alpha)


def trained(teacher, student, x, y, alpha):
    """The student's weights after training from where it stands."""
    before = student.get_weights()
    make(teacher, student, alpha=alpha).fit(x, y, shuffle=False, verbose=0)
    after = student.get_weights()
    student.set_weights(before)
    return np.concatenate([np.ravel(a - b) for a, b in zip(after, before, strict=True)])


@pytest.mark.slow
def test_weighted_1_the_teacher_has_no_say(data):
    student = stacked(16)
    one, other = (trained(t, student, *data, 1.0) for t in (stacked(32), stacked(8)))
    np.testing.assert_array_equal(one, other)
    assert np.abs(one).max() > 1e-4


@pytest.mark.slow
def test_weighted_0_the_labels_have_no_say(data):
    teacher, student = stacked(32), stacked(16)
    one, other = (
        trained(teacher, student, data[0], y, 0.0) for y in (data[1], data[1] * 0)
    )
    np.testing.assert_array_equal(one, other)
    assert np.abs(one).max() > 1e-4


def test_the_whole_of_training(models, data):
    x, y = data
    distiller = make(*models)
    history = distiller.fit(
        x, y, validation_data=(x[:20], y[:20]), epochs=3, batch_size=16, verbose=0
    ).history
    names = {"loss", "student_loss", "logits_loss", "accuracy"}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert all(len(values) == 3 for values in history.values())
    assert np.isfinite(list(history.values())).all()
    assert history["loss"][-1] < history["loss"][0]
    results = distiller.evaluate(x, y, verbose=0)
    assert len(results) == len(names)
    assert np.isfinite(results).all()
    predictions = distiller.predict(x, verbose=0)
    np.testing.assert_allclose(predictions, models[1](x), rtol=1e-5, atol=1e-6)


def test_predict_needs_no_compile(models, data):
    distiller = keras_kd.Distiller(*models, softened())
    assert distiller.predict(data[0], verbose=0).shape == (40, 10)


def test_config_is_json_and_makes_an_equal_distiller():
    distiller = make(stacked(32), stacked(16), alpha=0.7)
    config = json.loads(json.dumps(distiller.get_config()))
    again = keras_kd.Distiller.from_config(config)
    assert again.objective.alpha == 0.7
    assert again.distillation_losses[0].loss.temperature == T
    assert again(np.ones((2, 5), "float32")).shape == (2, 10)


@pytest.mark.slow
def test_a_student_that_is_built_by_its_first_batch(data, tmp_path):
    teacher, student = stacked(32), stacked(16, built=False)
    distiller = make(teacher, student, alpha=0.7)
    assert distiller(data[0]).shape == (40, 10)
    distiller.fit(*data, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    np.testing.assert_array_equal(loaded(data[0]), distiller(data[0]))
    assert loaded.objective.alpha == 0.7


def test_a_teacher_without_weights_has_nothing_to_teach():
    with pytest.raises(ValueError, match="expected a trained model"):
        keras_kd.Distiller(stacked(32, built=False), stacked(16))

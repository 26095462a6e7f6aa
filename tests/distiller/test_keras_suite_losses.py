"""The behaviours that Keras's own tests of its distillation losses check, held here."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import log_softmax

import keras_kd
from keras_kd.losses import KerasLossAdapter
from keras_kd.outputs import ModelOutputs
from tests.distiller.test_keras_suite import (
    FeatureDistillation,
    LogitsDistillation,
    Subclassed,
    T,
    divergence,
    evaluated,
    make,
    outputs_of,
    softened,
    stacked,
)


@pytest.fixture
def models():
    return stacked(32), stacked(16)


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    return generator.random((40, 5), "float32"), generator.integers(0, 10, 40)


def test_outputs_of_another_structure_are_refused():
    one = np.ones((2, 3), "float32")
    for loss, other in (
        (softened(), {"output": one}),
        (FeatureDistillation("mse"), [one, one]),
    ):
        adapter = KerasLossAdapter(loss)
        assert np.isfinite(float(adapter(ModelOutputs(one), ModelOutputs(one))))
        with pytest.raises(ValueError, match="structure"):
            KerasLossAdapter(loss).call(ModelOutputs(one), ModelOutputs(other))


def feature(loss="mse", layer="second"):
    return FeatureDistillation(loss, layer, layer)


@pytest.mark.quick_for("mse", "object")
@pytest.mark.parametrize(
    ("loss", "of_numpy"),
    [
        ("mse", lambda t, s: np.square(t - s).mean()),
        ("mae", lambda t, s: np.abs(t - s).mean()),
        (keras.losses.MeanAbsoluteError(), lambda t, s: np.abs(t - s).mean()),
        (keras.losses.mean_squared_error, lambda t, s: np.square(t - s).mean()),
        (
            "cosine_similarity",
            lambda t, s: (
                -(t * s).sum(-1)
                / (np.linalg.norm(t, axis=-1) * np.linalg.norm(s, axis=-1))
            ).mean(),
        ),
    ],
    ids=["mse", "mae", "object", "function", "cosine"],
)
def test_features_by_layer_names(data, loss, of_numpy):
    teacher, student = stacked(32), stacked(16)
    logs = evaluated(make(teacher, student, feature(loss)), *data)
    maps = [
        outputs_of(keras.Sequential(model.layers[:2]), data[0])
        for model in (teacher, student)
    ]
    assert logs["feature_loss"] == pytest.approx(of_numpy(*maps), rel=1e-4)


def test_features_without_a_name_are_the_outputs(models, data):
    logs = evaluated(make(*models, FeatureDistillation("mse")), *data)
    z_t, z_s = (outputs_of(model, data[0]) for model in models)
    assert logs["feature_loss"] == pytest.approx(np.square(z_t - z_s).mean(), rel=1e-4)


@pytest.mark.slow
def test_features_of_a_subclassed_model(data):
    # Keras refuses them; here the paths of layers hold for any model.
    pair = Subclassed(16), Subclassed(16)
    for model in pair:
        model(data[0])
    history = make(*pair, feature(layer="hidden")).fit(*data, verbose=0).history
    assert history["feature_loss"][0] > 0


@pytest.mark.parametrize("layer", ["thirst", "scores/first"])
def test_a_layer_that_is_not_there(layer):
    for names in ((layer, "second"), ("second", layer)):
        with pytest.raises(ValueError, match=layer):
            keras_kd.Distiller(
                stacked(32), stacked(16), FeatureDistillation("mse", *names)
            )


def test_features_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="like the teacher's"):
        keras_kd.Distiller(stacked(32), stacked(16), feature(layer="first"))


@pytest.mark.slow
def test_logits_and_features_together_are_learnt(data):
    losses = [softened(), feature(), feature("mae")]
    distiller = make(stacked(32), stacked(16), losses, [1.0, 0.5, 0.3])
    history = distiller.fit(*data, epochs=8, verbose=0).history
    names = ["loss", "student_loss", "logits_loss", "feature_loss", "feature_2_loss"]
    assert set(names) <= set(history)
    assert history["loss"][-1] < history["loss"][0]
    assert isinstance(distiller.student, keras.Sequential)


@pytest.mark.parametrize(
    ("name", "of_numpy"),
    [
        ("mse", lambda t, s: np.square(t - s).mean()),
        (keras.losses.MeanAbsoluteError(), lambda t, s: np.abs(t - s).mean()),
        (
            keras.losses.CategoricalCrossentropy(from_logits=True),
            lambda t, s: -(t * log_softmax(s, -1)).sum(-1).mean(),
        ),
    ],
    ids=["string", "object", "from_logits"],
)
def test_logits_by_any_loss_of_keras(models, data, name, of_numpy):
    logs = evaluated(make(*models, LogitsDistillation(T, name)), *data)
    z_t, z_s = (outputs_of(model, data[0]) / T for model in models)
    assert logs["logits_loss"] == pytest.approx(of_numpy(z_t, z_s), rel=1e-3, abs=1e-5)


@keras.saving.register_keras_serializable("tests_suite")
class LargestGap(keras.distillation.DistillationLoss):
    """A user's own loss for Keras's Distiller."""

    def __init__(self, power=1.0):
        self.power = power

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        gap = keras.ops.abs(teacher_outputs - student_outputs)
        return keras.ops.mean(keras.ops.max(gap, axis=-1)) ** self.power

    def get_config(self):
        return {"power": self.power}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def test_a_users_own_loss_is_computed_and_saved(data, tmp_path):
    teacher, student = stacked(32), stacked(16)
    distiller = make(teacher, student, LargestGap(2.0), alpha=0.0)
    z_t, z_s = (outputs_of(model, data[0]) for model in (teacher, student))
    expected = np.abs(z_t - z_s).max(axis=-1).mean() ** 2
    logs = evaluated(distiller, *data)
    assert logs["largestgap_loss"] == pytest.approx(expected, rel=1e-4)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    loaded.attach_teacher(teacher)
    assert evaluated(loaded, *data) == pytest.approx(logs, rel=1e-6)


def test_losses_that_keras_cannot_compute():
    with pytest.raises(ValueError, match="positive"):
        LogitsDistillation(temperature=0.0)
    for kind in (LogitsDistillation, FeatureDistillation):
        with pytest.raises(ValueError, match="non-`None`"):
            kind(loss=None)
    with pytest.raises(ValueError, match=r"keras_kd\.losses or keras\.distillation"):
        keras_kd.Distiller(stacked(32), stacked(16), ["mse"])


def two_heads(width, kind):
    inputs = keras.Input((5,))
    x = layers.Dense(width, activation="relu", name="hidden")(inputs)
    heads = {"a": layers.Dense(10, name="a")(x), "b": layers.Dense(4, name="b")(x)}
    return keras.Model(inputs, heads if kind is dict else list(heads.values()))


def outputs_by_name(model, x):
    outputs = [np.asarray(z, "float64") for z in keras.tree.flatten(model(x))]
    return dict(zip("ab", outputs, strict=True))


def structure(kind, first, second):
    return {"a": first, "b": second} if kind is dict else [first, second]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [dict, list])
@pytest.mark.parametrize("second", ["mse", None], ids=["both", "one"])
def test_nested_losses_for_several_outputs(kind, second, data):
    x, y = data
    teacher, student = two_heads(32, kind), two_heads(8, kind)
    losses = structure(kind, keras.losses.KLDivergence(), second)
    distiller = keras_kd.Distiller(
        teacher, student, LogitsDistillation(T, losses), alpha=0.5
    )
    distiller.compile("adam", jit_compile=False)
    labels = structure(kind, y, y % 4)
    logs = evaluated(distiller, x, labels)
    t, s = (outputs_by_name(model, x) for model in (teacher, student))
    expected = divergence(t["a"], s["a"]).mean()
    expected += 0.0 if second is None else np.square((t["b"] - s["b"]) / T).mean()
    assert logs["logits_loss"] == pytest.approx(expected, rel=1e-3)
    assert np.isfinite(distiller.fit(x, labels, verbose=0).history["loss"]).all()


def test_a_loss_of_keras_for_each_output(data):
    x, y = data
    teacher, student = two_heads(32, dict), two_heads(8, dict)
    losses = {"a": softened(), "b": LogitsDistillation(T, "mse")}
    distiller = keras_kd.Distiller(teacher, student, losses, alpha=0.0)
    distiller.compile("adam", jit_compile=False)
    logs = evaluated(distiller, x, {"a": y, "b": y % 4})
    t, s = (outputs_by_name(model, x) for model in (teacher, student))
    values = divergence(t["a"], s["a"]).mean(), np.square((t["b"] - s["b"]) / T).mean()
    assert logs["a_logits_loss"] == pytest.approx(values[0], rel=1e-3)
    assert logs["b_logits_loss"] == pytest.approx(values[1], rel=1e-3)
    assert logs["loss"] == pytest.approx(sum(values), rel=1e-3)


@pytest.mark.parametrize("loss", ["mse", {"a": "mse", "c": "mse"}, ["mse", "mse"]])
def test_a_structure_of_losses_that_the_outputs_have_not(loss):
    with pytest.raises(ValueError, match="a loss for each output"):
        keras_kd.Distiller(
            two_heads(32, dict), two_heads(8, dict), LogitsDistillation(T, loss)
        )


def test_the_warning_of_keras_default_names_what_is_right(models):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        make(*models)
    with pytest.warns(UserWarning, match="SoftTargetDistillation"):
        keras_kd.Distiller(*models, LogitsDistillation())

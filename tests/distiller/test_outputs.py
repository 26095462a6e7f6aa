"""Models with several outputs and inputs: each output has its losses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.special import expit, log_expit, log_softmax, logit, softmax

import keras_kd
from keras_kd.losses import (
    LogitRegressionDistillation,
    MultiLabelDistillation,
    SoftTargetDistillation,
)
from tests.distiller.test_training import assert_same_weights, clone

T = 2.0
ALPHA = 0.3


def network(width, *, kind="dict"):
    """Two inputs; a class of three from logits, and a yes or no from a sigmoid."""
    left, right = keras.Input((4,), name="left"), keras.Input((2,), name="right")
    x = layers.Dense(width, activation="relu")(layers.Concatenate()([left, right]))
    colour = layers.Dense(3, name="colour")(x)
    big = layers.Dense(1, activation="sigmoid", name="big")(x)
    outputs = {"colour": colour, "big": big} if kind == "dict" else [colour, big]
    return keras.Model({"left": left, "right": right}, outputs)


def _label(models):
    examples = {"id": ["a"], "x": {"left": np.ones((1, 4)), "right": np.ones((1, 2))}}
    data = tf.data.Dataset.from_tensor_slices(examples)
    return keras_kd.teachers.label(models[0], data, "never-made")


def _mutual(models):
    return keras_kd.MutualDistiller(models)


@pytest.fixture
def data():
    """Inputs and labels as dicts."""
    generator = np.random.default_rng(0)
    left = generator.normal(size=(48, 4)).astype("float32")
    right = generator.normal(size=(48, 2)).astype("float32")
    colour = generator.integers(0, 3, 48)
    big = generator.integers(0, 2, 48)
    return {"left": left, "right": right}, {"colour": colour, "big": big}


def terms(teacher, student, x, y):
    """The hard and soft terms of both outputs, one value an example, in NumPy."""
    t, s = (model.predict(x, verbose=0) for model in (teacher, student))
    log_p = log_softmax(s["colour"], -1)
    p_t = softmax(t["colour"] / T, -1)
    gap = log_softmax(t["colour"] / T, -1) - log_softmax(s["colour"] / T, -1)
    z_t, z_s = (logit(outputs["big"].astype("float64"))[:, 0] for outputs in (t, s))
    yes = expit(z_t / T)
    return {
        "hard_colour": -log_p[np.arange(len(log_p)), y["colour"]],
        "hard_big": -np.where(y["big"] == 1, log_expit(z_s), log_expit(-z_s)),
        "soft_colour": T**2 * (p_t * gap).sum(-1),
        "soft_big": T**2
        * (
            yes * (log_expit(z_t / T) - log_expit(z_s / T))
            + (1 - yes) * (log_expit(-z_t / T) - log_expit(-z_s / T))
        ),
    }


def test_each_output_has_its_terms(data):
    x, y = data
    teacher, student = network(12), network(3)
    distiller = keras_kd.Distiller(teacher, student, alpha=ALPHA, temperature=T)
    distiller.compile("sgd")
    logged = distiller.evaluate(x, y, batch_size=48, verbose=0, return_dict=True)
    expected = {key: v.mean() for key, v in terms(teacher, student, x, y).items()}
    hard = expected["hard_colour"] + expected["hard_big"]
    soft = expected["soft_colour"], expected["soft_big"]
    assert logged["student_loss"] == pytest.approx(hard, rel=1e-4)
    assert logged["colour_soft_target_loss"] == pytest.approx(soft[0], rel=1e-4)
    assert logged["big_multi_label_loss"] == pytest.approx(soft[1], rel=1e-3)
    total = ALPHA * hard + (1 - ALPHA) * sum(soft)
    assert logged["loss"] == pytest.approx(total, rel=1e-4)


@pytest.mark.slow
def test_a_list_of_outputs_trains_like_a_dict(data):
    x, y = data
    students = {}
    for kind in ("dict", "list"):
        keras.utils.set_random_seed(3)
        teacher, students[kind] = network(12, kind=kind), network(3, kind=kind)
        losses = [SoftTargetDistillation(T), [MultiLabelDistillation(T)]]
        weights, labels = [2.0, 0.5], [y["colour"], y["big"]]
        if kind == "dict":
            losses, weights, labels = (
                dict(zip(("colour", "big"), values, strict=True))
                for values in (losses, weights, labels)
            )
        distiller = keras_kd.Distiller(teacher, students[kind], losses, weights)
        distiller.compile(keras.optimizers.SGD(0.1))
        distiller.fit(x, labels, shuffle=False, epochs=2, verbose=0)
    for layer in ("colour", "big"):
        one, other = (model.get_layer(layer) for model in students.values())
        assert_same_weights(one, other)


@pytest.mark.slow
def test_losses_and_metrics_may_be_given_for_each_output(data):
    x, y = data
    teacher, student = network(12), network(3)
    inferred = clone(student)
    for model, loss in (
        (
            student,
            {
                "colour": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                "big": "binary_crossentropy",
            },
        ),
        (inferred, None),
    ):
        distiller = keras_kd.Distiller(teacher, model)
        metrics = {"colour": ["accuracy"], "big": ["accuracy"]}
        distiller.compile(keras.optimizers.SGD(0.1), loss, metrics=metrics)
        history = distiller.fit(x, y, shuffle=False, verbose=0).history
        assert {"colour_accuracy", "big_accuracy"} <= set(history)
    assert_same_weights(student, inferred)


def test_an_output_may_be_left_to_its_labels(data):
    x, y = data
    teacher, student = network(12), network(3)
    distiller = keras_kd.Distiller(
        teacher,
        student,
        {"colour": SoftTargetDistillation(T), "big": None},
        alpha=ALPHA,
    )
    distiller.compile("sgd")
    logged = distiller.evaluate(x, y, batch_size=48, verbose=0, return_dict=True)
    expected = {key: v.mean() for key, v in terms(teacher, student, x, y).items()}
    hard = expected["hard_colour"] + expected["hard_big"]
    total = ALPHA * hard + (1 - ALPHA) * expected["soft_colour"]
    assert logged["loss"] == pytest.approx(total, rel=1e-4)
    assert "big_multi_label_loss" not in logged


def test_each_output_may_have_its_weights(data):
    x, y = data
    teacher, student = network(12), network(3)
    generator = np.random.default_rng(2)
    weight = {name: generator.uniform(0, 2, 48).astype("float32") for name in y}
    distiller = keras_kd.Distiller(teacher, student, temperature=T)
    distiller.compile("sgd")
    logged = distiller.evaluate(
        x, y, sample_weight=weight, batch_size=48, verbose=0, return_dict=True
    )
    found = terms(teacher, student, x, y)
    expected = (weight["colour"] * found["soft_colour"]).mean()
    assert logged["colour_soft_target_loss"] == pytest.approx(expected, rel=1e-4)
    hard = sum((weight[name] * found[f"hard_{name}"]).mean() for name in y)
    assert logged["student_loss"] == pytest.approx(hard, rel=1e-4)


@pytest.mark.slow
def test_training_goes_on_exactly_after_loading(data, tmp_path):
    x, y = data
    teacher, student = network(12), network(3)
    distiller = keras_kd.Distiller(teacher, student, alpha=ALPHA)
    distiller.compile(keras.optimizers.Adam(0.01))
    distiller.fit(x, y, shuffle=False, verbose=0)
    distiller.save(tmp_path / "d.keras")
    loaded = keras.models.load_model(tmp_path / "d.keras")
    loaded.attach_teacher(teacher)
    for model in (distiller, loaded):
        model.fit(x, y, shuffle=False, verbose=0)
    assert_same_weights(distiller.student, loaded.student)


@pytest.mark.slow
def test_losses_of_keras_see_all_outputs(data):
    x, y = data
    teacher, student = network(12), network(3)
    kl = keras.losses.KLDivergence()
    nested = {"colour": kl, "big": keras.losses.MeanSquaredError()}
    distiller = keras_kd.Distiller(
        teacher, student, keras.distillation.LogitsDistillation(T, loss=nested)
    )
    distiller.compile("sgd")
    assert np.isfinite(distiller.fit(x, y, verbose=0).history["logits_loss"][0])


class Subclassed(keras.Model):
    """Two outputs that it does not tell of before it runs."""

    def __init__(self, width):
        super().__init__()
        self.hidden = layers.Dense(width, activation="relu")
        self.colour, self.big = layers.Dense(3), layers.Dense(1)

    def call(self, inputs):
        x = self.hidden(keras.ops.concatenate([inputs["left"], inputs["right"]], -1))
        return {"colour": self.colour(x), "big": self.big(x)}


@pytest.mark.slow
def test_a_subclassed_student_learns_from_a_functional_teacher(data):
    x, y = data
    teacher = network(12)
    losses = {"colour": SoftTargetDistillation(T), "big": LogitRegressionDistillation()}
    distiller = keras_kd.Distiller(teacher, Subclassed(4), losses, alpha=0.5)
    hard = {
        "colour": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "big": keras.losses.BinaryCrossentropy(from_logits=True),
    }
    distiller.compile(keras.optimizers.Adam(0.01), hard)
    history = distiller.fit(x, y, epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert {"colour_soft_target_loss", "big_logit_regression_loss"} <= set(history)


def test_regression_learns_from_a_teacher(data):
    x, _ = data
    y = x["left"].sum(axis=1, keepdims=True)
    inputs = {name: keras.Input(v.shape[1:], name=name) for name, v in x.items()}

    def make(width):
        joined = layers.Concatenate()(list(inputs.values()))
        return keras.Model(
            inputs, layers.Dense(1)(layers.Dense(width, activation="tanh")(joined))
        )

    teacher, student = make(16), make(4)
    distiller = keras_kd.Distiller(
        teacher, student, LogitRegressionDistillation(), alpha=ALPHA
    )
    distiller.compile("sgd", "mse", metrics=["mae"])
    logged = distiller.evaluate(x, y, batch_size=48, verbose=0, return_dict=True)
    z_t, z_s = (model.predict(x, verbose=0) for model in (teacher, student))
    assert logged["student_loss"] == pytest.approx(((z_s - y) ** 2).mean(), rel=1e-5)
    soft = ((z_s - z_t) ** 2).mean()
    assert logged["logit_regression_loss"] == pytest.approx(soft, rel=1e-5)


@pytest.mark.slow
def test_generations_teach_each_other_all_outputs(data, tmp_path):
    chain = keras_kd.distiller.born_again(
        network(4), lambda: network(4), 2, *data, folder=tmp_path / "chain", epochs=2
    )
    for history in chain.histories:
        assert len(history["colour_accuracy"]) == len(history["loss"]) == 2


def test_inputs_may_be_a_tuple(data):
    x, y = data

    def make(width):
        pair = (keras.Input((4,)), keras.Input((2,)))
        hidden = layers.Dense(width, activation="relu")(
            layers.Concatenate()(list(pair))
        )
        return keras.Model(pair, layers.Dense(3)(hidden))

    distiller = keras_kd.Distiller(make(12), make(3))
    distiller.compile(keras.optimizers.Adam(0.01))
    history = distiller.fit(tuple(x.values()), y["colour"], epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


def test_a_single_output_may_stand_in_a_list_or_dict(data):
    x, y = data

    def make(wrap):
        inputs = keras.Input((4,))
        return keras.Model(inputs, wrap(layers.Dense(3)(inputs)))

    for wrap, labels in (
        (lambda output: [output], y["colour"]),
        (lambda output: {"colour": output}, {"colour": y["colour"]}),
    ):
        distiller = keras_kd.Distiller(make(wrap), make(wrap))
        distiller.compile("sgd")
        history = distiller.fit(x["left"], labels, verbose=0).history
        assert np.isfinite(history["loss"][0])


@pytest.mark.parametrize("make", [keras_kd.teachers.Ensemble, _label, _mutual])
def test_what_takes_one_output_says_so(make):
    with pytest.raises(ValueError, match="one output"):
        make([network(12), network(8)])


def test_a_loss_that_names_no_output():
    with pytest.raises(ValueError, match="the output that SoftTargetDistillation is"):
        keras_kd.Distiller(network(12), network(3), SoftTargetDistillation())


def test_an_output_that_is_none():
    losses = {"shape": SoftTargetDistillation()}
    with pytest.raises(ValueError, match="one of them has 'colour', 'big'"):
        keras_kd.Distiller(network(12), network(3), losses)


def test_a_teacher_with_one_output_for_a_student_with_two():
    inputs = {"left": keras.Input((4,)), "right": keras.Input((2,))}
    x = layers.Dense(3)(layers.Concatenate()(list(inputs.values())))
    with pytest.raises(ValueError, match="which of the student's outputs"):
        keras_kd.Distiller(keras.Model(inputs, x), network(3))


def test_weights_in_other_places_than_the_losses():
    losses = {"colour": SoftTargetDistillation(), "big": MultiLabelDistillation()}
    with pytest.raises(ValueError, match="in the places of `distillation_losses`"):
        keras_kd.Distiller(network(12), network(3), losses, {"colour": 1.0})


def test_labels_of_one_output_only(data):
    x, y = data
    distiller = keras_kd.Distiller(network(12), network(3))
    distiller.compile("sgd")
    with pytest.raises(ValueError, match="labels for each output"):
        distiller.fit(x, {"colour": y["colour"]}, verbose=0)


def test_losses_that_read_a_head_wrongly_are_named():
    distiller = keras_kd.Distiller(network(12), network(3))
    losses = {
        "colour": keras.losses.SparseCategoricalCrossentropy(),
        "big": "binary_crossentropy",
    }
    with pytest.raises(ValueError, match="from_logits=True"):
        distiller.compile("sgd", losses)

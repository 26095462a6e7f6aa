"""Several teachers as one, against loops over the members."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from keras_kd.data import Examples
from keras_kd.teachers import CallableTeacher, Ensemble, FrozenTeacher, MeanTeacher


def logits_of(model, x):
    return np.asarray(model(x, training=False), "float64")


def counting(logits, calls):
    """A teacher that gives the same logits for every example and counts its calls."""

    def function(inputs):
        calls.append(len(inputs))
        return np.tile(np.asarray(logits, "float32"), (len(inputs), 1))

    return CallableTeacher(
        function,
        from_logits=True,
        num_classes=len(logits),
        fingerprint=f"{logits}",
        numpy=True,
    )


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_members_of_every_kind_are_averaged_at_the_temperature(
    make_model, arrays, temperature
):
    x = arrays[0][:32]
    plain, soft, halved = make_model(8), make_model(16, "softmax"), make_model(8)
    foreign = CallableTeacher(
        lambda x: keras.ops.softmax(halved(x) * 3.0),
        from_logits=False,
        num_classes=10,
        fingerprint="three times",
    )
    ensemble = Ensemble(
        [plain, soft, FrozenTeacher(halved, preprocessing=lambda x: x / 2), foreign],
        weights=[4, 3, 2, 1],
    )
    expected = (
        0.4 * softmax(logits_of(plain, x) / temperature, axis=-1)
        + 0.3 * softmax(np.log(logits_of(soft, x)) / temperature, axis=-1)
        + 0.2 * softmax(logits_of(halved, x / 2) / temperature, axis=-1)
        + 0.1 * softmax(logits_of(halved, x) * 3 / temperature, axis=-1)
    )
    seen = np.asarray(ensemble(x).at_temperature(temperature).logits, "float64")
    np.testing.assert_allclose(
        softmax(seen / temperature, axis=-1), expected, rtol=2e-5
    )


def test_plain_answer_is_the_mean_at_temperature_1(make_model, arrays):
    x = arrays[0][:32]
    models = [make_model(8), make_model(8)]
    expected = np.mean([softmax(logits_of(m, x), axis=-1) for m in models], axis=0)
    answer = Ensemble(models).answer(Examples(x))
    np.testing.assert_allclose(softmax(answer.logits, axis=-1), expected, rtol=1e-5)


def test_sigmoid_heads_are_averaged_as_sigmoids(make_model, arrays):
    x = arrays[0][:32]
    models = [make_model(8, "sigmoid"), make_model(8, "sigmoid")]
    expected = np.mean([logits_of(model, x) for model in models], axis=0)
    np.testing.assert_allclose(expit(Ensemble(models)(x).logits), expected, rtol=1e-5)


def test_one_unit_is_a_sigmoid():
    models = [
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]) for _ in "ab"
    ]
    x = np.eye(4, dtype="float32")
    expected = np.mean([expit(logits_of(model, x)) for model in models], axis=0)
    np.testing.assert_allclose(expit(Ensemble(models)(x).logits), expected, rtol=1e-5)


def test_logits_are_averaged_as_they_are(make_model, arrays):
    x = arrays[0][:32]
    one, other = make_model(8), make_model(8)
    answer = Ensemble([one, other], [1, 3], average="logits")(x)
    expected = 0.25 * logits_of(one, x) + 0.75 * logits_of(other, x)
    np.testing.assert_allclose(answer.logits, expected, rtol=1e-4, atol=1e-6)
    assert answer.at_temperature(5.0) is answer


def test_no_gradient_reaches_a_member(make_model, arrays):
    one, other = make_model(8), make_model(8)
    with tf.GradientTape() as tape:
        logits = Ensemble([one, other])(arrays[0][:4]).at_temperature(2.0).logits
    weights = one.trainable_variables + other.trainable_variables
    assert tape.gradient(logits, weights) == [None] * len(weights)


def test_member_of_weight_0_never_runs():
    ran, idle = [], []
    ensemble = Ensemble([counting([1, 2], ran), counting([9, 9], idle)], [2, 0])
    np.testing.assert_allclose(ensemble(np.zeros((3, 1))).logits, [[1, 2]] * 3, 1e-6)
    assert (ran, idle) == ([3], [])


def test_one_member_teaches_each_batch_and_no_other_runs():
    calls = [[], [], []]
    logits = [[1.0, 0.0], [0.0, 1.0], [5.0, 0.0]]
    ensemble = Ensemble(
        [counting(z, c) for z, c in zip(logits, calls, strict=True)],
        [0.5, 0.2, 0.3],
        one_per_batch=True,
        seed=0,
    )
    examples = Examples(np.zeros((2, 1), "float32"))
    teach = tf.function(lambda step: ensemble.teach(examples, step).logits)
    drawn = []
    for step in range(500):
        answer = teach(tf.constant(step)).numpy()
        drawn.append(next(n for n, z in enumerate(logits) if np.all(answer == z)))
    counts = np.bincount(drawn, minlength=3)
    assert counts.tolist() == [len(c) for c in calls]
    # Four standard deviations of a share of one half in 500 draws.
    np.testing.assert_allclose(counts / 500, [0.5, 0.2, 0.3], atol=0.09)


@pytest.mark.slow
def test_draws_follow_from_seed_and_step(make_model, arrays):
    models, examples = [make_model(8), make_model(8)], Examples(arrays[0][:2])

    def draws(seed):
        ensemble = Ensemble(models, one_per_batch=True, seed=seed)
        steps = range(20_000, 20_040)
        return [float(ensemble.teach(examples, s).logits[0, 0]) for s in steps]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)
    keras.utils.set_random_seed(3)
    first = draws(None)
    keras.utils.set_random_seed(3)
    assert first == draws(None)


def test_evaluation_asks_all_members_where_training_draws_one(make_model, arrays):
    models, examples = [make_model(8), make_model(8)], Examples(arrays[0][:2])
    drawing = Ensemble(models, one_per_batch=True, seed=0)
    np.testing.assert_array_equal(
        drawing.answer(examples).logits, Ensemble(models).answer(examples).logits
    )


def test_fingerprint_is_of_members_weights_and_settings(make_model):
    a, b, c = make_model(8), make_model(8), make_model(8)
    same = Ensemble([a, b]).fingerprint
    assert same == Ensemble([b, a], [3, 3]).fingerprint
    assert same == Ensemble([a, b, c], [1, 1, 0]).fingerprint
    others = [
        Ensemble([a, c]),
        Ensemble([a, b, c]),
        Ensemble([a, b], [1, 2]),
        Ensemble([a, b], average="logits"),
        Ensemble([a, b], one_per_batch=True),
    ]
    assert len({same, *(other.fingerprint for other in others)}) == 6


def test_weights_are_divided_by_their_sum(make_model):
    models = [make_model(8), make_model(8)]
    assert Ensemble(models, [6, 2]).weights == (0.75, 0.25)
    assert Ensemble(models, np.array([1.0, 3.0])).weights == (0.25, 0.75)
    assert Ensemble(models).weights == (0.5, 0.5)


@pytest.mark.parametrize(
    "weights",
    [[1], [1, 2, 3], [0, 0], [-1, 2], [np.nan, 1], ["a", "b"], 3, [1e308] * 2],
)
def test_weights_that_cannot_be_used(make_model, weights):
    with pytest.raises(ValueError, match="Ensemble: expected 2 weights, numbers of at"):
        Ensemble([make_model(8), make_model(8)], weights)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (lambda m: [], "a list of models, got []"),
        (lambda m: m, "a list of models"),
        (lambda m: [m, 3], "got int"),
        (lambda m: [Ensemble([m])], "got an Ensemble among them"),
        (lambda m: [m, MeanTeacher(m)], "got MeanTeacher"),
    ],
)
def test_what_cannot_be_a_member(make_model, models, words):
    with pytest.raises(ValueError, match="Ensemble: expected") as error:
        Ensemble(models(make_model(8)))
    assert words in str(error.value)


def test_heads_of_two_kinds_are_an_error(make_model):
    models = [make_model(8), make_model(8, "sigmoid"), make_model(8, "softmax")]
    with pytest.raises(ValueError, match="softmax in member 3 and a sigmoid in memb"):
        Ensemble(models)


def test_different_class_counts_are_an_error_that_names_both(make_model):
    three = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    with pytest.raises(ValueError, match="10 in member 1 and 3 in member 3"):
        Ensemble([make_model(8), make_model(8), three])


def test_different_class_counts_show_in_the_first_answer_at_the_latest(make_model):
    class Quiet(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(keras.ops.reshape(inputs, (-1, 64)))

    quiet, x = Quiet(), np.zeros((2, 8, 8, 1), "float32")
    quiet(x)
    with pytest.raises(ValueError, match=r"\(10,\) in member 1 and \(3,\) in member 2"):
        Ensemble([make_model(8), quiet])(x)


def test_layers_of_an_ensemble_are_an_error(make_model, arrays):
    ensemble = Ensemble([make_model(8), make_model(8)])
    with pytest.raises(ValueError, match="take a single teacher, or a loss on logits"):
        ensemble.check_layers(["hidden"])
    with pytest.raises(ValueError, match="'hidden'"):
        ensemble(arrays[0][:2], layers=["hidden"])
    assert ensemble.layer_shapes(arrays[0][:2]) == {}


@pytest.mark.parametrize("option", [{"average": "votes"}, {"seed": -1}, {"seed": 0.5}])
def test_options_out_of_range(make_model, option):
    with pytest.raises(ValueError, match=f"`{next(iter(option))}` to be"):
        Ensemble([make_model(8)], **option)


def test_a_member_that_answers_probabilities_as_logits_is_named(make_model, arrays):
    hidden = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation=lambda x: keras.ops.softmax(x)),
        ]
    )
    ensemble = Ensemble([make_model(8), hidden])
    with pytest.raises(ValueError, match="member 2 of the ensemble: expected logits"):
        ensemble.check_answer("here", Examples(arrays[0][:8]))

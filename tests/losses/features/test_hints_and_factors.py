"""Losses that bring the student's maps to the teacher's shape and compare values."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from keras_kd.losses.features.activation_boundary import (
    ActivationBoundaryDistillation,
    activation_boundary_distance,
)
from keras_kd.losses.features.factor import FactorDistillation, factor_distance
from keras_kd.losses.features.hint import HintDistillation, hint_error, make_regressor
from keras_kd.losses.features.overhaul import (
    OverhaulDistillation,
    negative_margins,
    overhaul_distance,
)
from keras_kd.losses.features.paraphraser import Paraphraser, fit_paraphraser
from keras_kd.losses.features.variational import (
    VariationalDistillation,
    variational_negative_log_likelihood,
)
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(0)
TEACHER = GENERATOR.normal(0, 1, (3, 4, 4, 5)).astype("float32")
STUDENT = GENERATOR.normal(0, 1, (3, 4, 4, 5)).astype("float32")
NARROW = GENERATOR.normal(0, 1, (3, 4, 4, 2)).astype("float32")

MAKERS = {
    "hint": lambda: HintDistillation("t", "s"),
    "activation_boundary": lambda: ActivationBoundaryDistillation("t", "s"),
    "factor": lambda: FactorDistillation("t", "s", Paraphraser(5)),
    "factor_attention": lambda: FactorDistillation("t", "s", Paraphraser(5), power=2),
    "variational": lambda: VariationalDistillation("t", "s"),
    "overhaul": lambda: OverhaulDistillation("t", "s", [[-0.8] * 5]),
}
every_loss = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def _outputs(path, feature_maps):
    logits = keras.ops.zeros((feature_maps.shape[0], 2))
    return ModelOutputs(logits, {path: tf.convert_to_tensor(feature_maps)})


def _shapes(path, *shape):
    return ModelOutputs((None, 2), {path: (None, *shape)})


@every_loss
@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("batch", [1, 3])
def test_loss_and_gradients_are_finite(make, scale, batch):
    loss, student = make(), tf.constant(scale * NARROW[:batch])
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = loss(
            _outputs("t", scale * TEACHER[:batch]),
            ModelOutputs(tf.zeros((batch, 2)), {"s": student}),
            training=True,
        )
    assert value.shape == (batch,)
    assert np.isfinite(value).all()
    for gradient in tape.gradient(value, [student, *loss.trainable_variables]):
        assert np.isfinite(gradient).all()


@every_loss
def test_teacher_gets_no_gradient(make):
    loss, teacher = make(), tf.constant(TEACHER)
    with tf.GradientTape() as tape:
        tape.watch(teacher)
        value = loss(
            ModelOutputs(tf.zeros((3, 2)), {"t": teacher}), _outputs("s", NARROW)
        )
    assert tape.gradient(value, teacher) is None


@every_loss
def test_config_round_trips(make):
    one = make()
    other = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(one)
    )
    assert type(other) is type(one)
    assert other.get_config() == one.get_config()
    for loss in (one, other):
        loss.build(_shapes("t", 4, 4, 5), _shapes("s", 4, 4, 2))
    assert len(other.trainable_variables) == len(one.trainable_variables)


@every_loss
def test_weights_exist_after_build(make):
    loss = make()
    loss.build(_shapes("t", 4, 4, 5), _shapes("s", 4, 4, 2))
    assert loss.trainable_variables
    count = len(loss.variables)
    loss(_outputs("t", TEACHER), _outputs("s", NARROW))
    assert len(loss.variables) == count


@every_loss
def test_weights_stay_float32_under_mixed_precision(make):
    expected_types = {"float32"}
    keras.config.set_dtype_policy("mixed_float16")
    try:
        loss = make()
        value = loss(
            _outputs("t", 3e4 * np.abs(TEACHER)), _outputs("s", 1e5 * np.abs(NARROW))
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(value).all()  # 1e5 is infinite in float16
    assert {variable.dtype for variable in loss.variables} == expected_types


@every_loss
def test_half_precision_maps_are_accepted(make):
    loss = make()
    value = loss(
        _outputs("t", TEACHER.astype("float16")),
        _outputs("s", NARROW.astype("float16")),
    )
    assert value.dtype == "float32"


@pytest.mark.parametrize("make", [HintDistillation, ActivationBoundaryDistillation])
def test_student_smaller_than_half_is_an_error(make):
    with pytest.raises(ValueError, match=r'"s" to have at least, or exactly half'):
        make("t", "s").build(_shapes("t", 8, 8, 5), _shapes("s", 3, 3, 5))


def test_batch_normalisation_of_a_regressor_learns_in_training_only():
    loss = HintDistillation("t", "s")
    teacher, student = _outputs("t", TEACHER), _outputs("s", NARROW)
    loss(teacher, student)
    (normalisation,) = (
        layer
        for layer in loss.regressors[0].layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    assert not np.any(normalisation.moving_mean)
    loss(teacher, student, training=True)
    assert np.any(normalisation.moving_mean)


@pytest.mark.parametrize("size", [(8, 6), (2, 2), (4, 3), (6, 3), (7, 4), (8, 3)])
def test_regressor_gives_the_shape_of_the_teacher(size):
    regressor = make_regressor((None, 4, 3, 5), (None, *size, 2))
    if size == (2, 2):  # half the height, but not half the width
        assert regressor is None
    else:
        assert regressor(np.ones((1, *size, 2))).shape == (1, 4, 3, 5)


@pytest.mark.parametrize("function", [hint_error, factor_distance])
def test_equal_maps_have_no_distance(function):
    assert not np.any(function(TEACHER, TEACHER))


@pytest.mark.parametrize(
    "function", [hint_error, factor_distance, activation_boundary_distance]
)
def test_unequal_shapes_are_an_error(function):
    with pytest.raises(ValueError, match=r"\(4, 4, 5\) like the teacher's"):
        function(TEACHER, NARROW)


def test_activation_boundary_equals_a_loop():
    expected = np.zeros(3)
    for index, teacher in np.ndenumerate(TEACHER):
        student = STUDENT[index]
        gap = 0.5 - student if teacher > 0 else 0.5 + student
        expected[index[0]] += max(0.0, gap) ** 2
    ours = activation_boundary_distance(TEACHER, STUDENT, margin=0.5)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_activation_boundary_connects_nothing_where_shapes_agree():
    loss = ActivationBoundaryDistillation("t", "s")
    loss.build(_shapes("t", 4, 4, 5), _shapes("s", 4, 4, 5))
    assert not loss.variables


def test_variance_starts_as_asked_and_trains():
    loss = VariationalDistillation("t", "s", initial_variance=2.5)
    loss.build(_shapes("t", 4, 4, 5), _shapes("s", 4, 4, 2))
    variances = keras.ops.softplus(loss.log_scales[0]) + 1e-5
    np.testing.assert_allclose(variances, np.full(5, 2.5), rtol=1e-6)
    assert any(v is loss.log_scales[0] for v in loss.trainable_variables)


def test_negative_log_likelihood_equals_scipy():
    variances = np.array([0.5, 1, 2, 3, 4], "float32")
    ours = variational_negative_log_likelihood(TEACHER, STUDENT, variances=variances)
    surprise = -norm.logpdf(TEACHER, STUDENT, np.sqrt(variances))
    expected = surprise.mean(axis=(1, 2, 3)) - np.log(2 * np.pi) / 2
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_margin_is_the_mean_of_what_is_below_zero():
    samples = np.random.default_rng(1).normal(0.7, 2.0, 400_000)
    margin = negative_margins([-2.0], [0.7])[0]
    assert margin == pytest.approx(samples[samples < 0].mean(), abs=0.01)


def test_margin_of_a_pruned_channel_is_finite():
    margins = negative_margins([0.0, 0.0, 0.0], [-2.0, 0.0, 2.0])
    np.testing.assert_allclose(margins, [-2.0, 0.0, 0.0], atol=1e-9)


def test_overhaul_equals_a_loop():
    margins, expected = np.linspace(-1.0, -0.2, 5), np.zeros(3)
    for index, teacher in np.ndenumerate(TEACHER):
        target, ours = max(teacher, margins[index[-1]]), STUDENT[index]
        if ours > target or target > 0:
            expected[index[0]] += (ours - target) ** 2
    ours = overhaul_distance(TEACHER, STUDENT, margins=margins)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_margins_come_from_the_batch_normalisation_named():
    normalisation = keras.layers.BatchNormalization(name="bn", scale=False)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), normalisation, keras.layers.ReLU(name="relu")]
    )
    normalisation.beta.assign([-1.0, 0.0, 1.0])
    loss = OverhaulDistillation.from_teacher(model, "relu", "s", batch_norms="bn")
    np.testing.assert_allclose(loss.margins[0], negative_margins([1] * 3, [-1, 0, 1]))
    with pytest.raises(ValueError, match=r'"relu" to be a BatchNormalization.*ReLU'):
        OverhaulDistillation.from_teacher(model, "relu", "s")


def test_margins_must_be_as_many_as_channels():
    loss = OverhaulDistillation("t", "s", [[-1.0, -1.0]])
    with pytest.raises(ValueError, match='5 channels of teacher layer "t", got 2'):
        loss.build(_shapes("t", 4, 4, 5), _shapes("s", 4, 4, 2))
    with pytest.raises(ValueError, match="margins for each of 1 teacher_layers, got 2"):
        OverhaulDistillation("t", "s", [-1.0, -1.0])


def test_paraphraser_is_frozen_and_its_weight_depends_on_the_form():
    loss = MAKERS["factor"]()
    loss.build(_shapes("t", 4, 4, 5), _shapes("s", 4, 4, 2))
    frozen = {id(variable) for variable in loss.paraphrasers[0].variables}
    assert not frozen & {id(variable) for variable in loss.trainable_variables}
    assert loss.published_weight == 500.0
    assert MAKERS["factor_attention"]().published_weight == 200.0


def test_paraphraser_must_fit_the_teacher():
    loss = FactorDistillation("t", "s", Paraphraser(4))
    with pytest.raises(ValueError, match='5 channels of teacher layer "t", got 4'):
        loss.build(_shapes("t", 4, 4, 5), _shapes("s", 4, 4, 2))
    loss = MAKERS["factor"]()
    with pytest.raises(
        ValueError, match=r'"s" to have the height and width .* power=2'
    ):
        loss.build(_shapes("t", 4, 4, 5), _shapes("s", 8, 8, 2))


@pytest.mark.slow
def test_fitting_a_paraphraser_lowers_its_error_and_leaves_the_teacher():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    before = [weight.copy() for weight in model.get_weights()]
    images = GENERATOR.normal(0, 1, (8, 6, 6, 3)).astype("float32")
    features = model.layers[0](images)
    errors = []
    for epochs in (1, 60):
        keras.utils.set_random_seed(0)
        optimizer = keras.optimizers.Adam(0.01)
        paraphraser = fit_paraphraser(
            model, "conv", [images], epochs=epochs, optimizer=optimizer
        )
        errors.append(float(np.mean(hint_error(features, paraphraser(features)))))
    assert errors[1] < 0.8 * errors[0]
    assert not paraphraser.trainable_variables
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_paraphraser_needs_batches():
    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Conv2D(4, 3)])
    with pytest.raises(ValueError, match="at least one epoch of at least one batch"):
        fit_paraphraser(model, "conv", [])

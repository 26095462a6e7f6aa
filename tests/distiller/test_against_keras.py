"""What `keras.distillation.Distiller` gets wrong, and ours right.

Each test runs with both. For Keras it states the wrong result, so that it fails on the
day when Keras is mended; measured with Keras 3.15.
"""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import keras_kd

ALPHA = 0.3
T = 3.0
RATE = 0.1
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(params=["keras_kd", "keras"])
def library(request):
    return request.param


@pytest.fixture
def teacher(make_model):
    """One that is sure of something, without training."""
    model = make_model(32)
    head = model.get_layer("scores")
    head.kernel.assign(5.0 * head.kernel)
    return model


def assert_only_ours(library, value, right, rel=1e-4):
    """Ours has the right value, Keras's has another."""
    matches = value == pytest.approx(right, rel=rel)
    assert matches == (library == "keras_kd"), f"{value}, right is {right}"


def soft(library, temperature=T):
    """Soft targets at a temperature, as each library has them."""
    if library == "keras_kd":
        return keras_kd.losses.SoftTargetDistillation(temperature)
    kl = keras.losses.KLDivergence()
    return keras.distillation.LogitsDistillation(temperature, kl)


def make(library, teacher, student, losses=None, *, alpha=ALPHA, hard=CROSS_ENTROPY):
    """A compiled distiller of either library."""
    losses = [soft(library)] if losses is None else losses
    if library == "keras_kd":
        distiller = keras_kd.Distiller(teacher, student, losses, alpha=alpha)
    else:
        distiller = keras.distillation.Distiller(
            teacher, student, losses, student_loss_weight=alpha
        )
    distiller.compile(keras.optimizers.SGD(RATE), hard, jit_compile=False)
    return distiller


def total(distiller, x, y, **options):
    """The loss that is logged for one batch."""
    logs = distiller.evaluate(
        x, y, batch_size=len(x), return_dict=True, verbose=0, **options
    )
    return logs["total_loss" if "total_loss" in logs else "loss"]


def logits_of(model, x):
    return model.predict(x, verbose=0).astype("float64")


def divergence(teacher_logits, student_logits, temperature):
    """T² · KL of softened distributions for each example."""
    log_p = log_softmax(teacher_logits / temperature, axis=-1)
    log_q = log_softmax(student_logits / temperature, axis=-1)
    return temperature**2 * (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def by_hand(teacher, student, x, y):
    """α · hard + (1 - α) · soft for each example, in float64."""
    z_t, z_s = logits_of(teacher, x), logits_of(student, x)
    hard = -log_softmax(z_s, axis=-1)[np.arange(len(y)), y]
    return ALPHA * hard + (1 - ALPHA) * divergence(z_t, z_s, T)


def test_both_agree_where_keras_is_right(library, teacher, student, arrays):
    distiller = make(library, teacher, student)
    expected = by_hand(teacher, student, *arrays).mean()
    assert total(distiller, *arrays) == pytest.approx(expected, rel=1e-4)


def test_default_loss_is_a_divergence_of_softened_outputs(
    library, teacher, student, arrays
):
    if library == "keras_kd":
        distiller = keras_kd.Distiller(teacher, student, alpha=0.0, temperature=T)
        distiller.compile("sgd")
    else:
        default = keras.distillation.LogitsDistillation(temperature=T)
        distiller = make(library, teacher, student, [default], alpha=0.0)
    z_t, z_s = logits_of(teacher, arrays[0]), logits_of(student, arrays[0])
    value, right = total(distiller, *arrays), divergence(z_t, z_s, T).mean()
    assert_only_ours(library, value, right)
    if library == "keras":
        p, q = (np.clip(z / T, 1e-7, 1.0) for z in (z_t, z_s))
        assert value == pytest.approx((p * np.log(p / q)).sum(-1).mean(), rel=1e-3)


def test_sample_weight_counts(library, teacher, student, arrays):
    x, y = arrays
    weight = np.random.default_rng(0).uniform(0, 2, len(x)).astype("float32")
    weight[::2] = 0.0
    value = total(make(library, teacher, student), x, y, sample_weight=weight)
    per_example = by_hand(teacher, student, x, y)
    assert_only_ours(library, value, (weight * per_example).mean())
    if library == "keras":
        assert value == pytest.approx(per_example.mean(), rel=1e-4)


def test_regularisation_is_part_of_the_loss(library, teacher, make_model, arrays):
    student = make_model(6, regularizer=keras.regularizers.L2(100.0))
    value = total(make(library, teacher, student), *arrays)
    plain = by_hand(teacher, student, *arrays).mean()
    kernel = student.get_layer("conv").kernel.numpy().astype("float64")
    assert_only_ours(library, value, plain + 100.0 * np.square(kernel).sum())
    if library == "keras":
        assert value == pytest.approx(plain, rel=1e-4)


def with_batch_norm(library, teacher, make_model):
    """A distiller with a loss on layers, and the normalisation of its student."""
    student = make_model(6, batch_norm=True)
    norm = student.get_layer("norm")
    norm.momentum = 0.5
    feature = keras.distillation.FeatureDistillation("mse", "conv", "conv")
    return make(library, teacher, student, [soft(library), feature]), norm


def test_batch_normalisation_moves_once_a_step(library, teacher, make_model, arrays):
    distiller, norm = with_batch_norm(library, teacher, make_model)
    maps = logits_of(keras.Sequential(distiller.student.layers[:1]), arrays[0])
    distiller.train_on_batch(*arrays)
    # The running mean goes half of the way, from 0; a second time, half of the rest.
    moves = {"keras_kd": 0.5, "keras": 0.75}[library]
    expected = moves * maps.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-4)


def test_evaluate_leaves_batch_normalisation_alone(
    library, teacher, make_model, arrays
):
    distiller, norm = with_batch_norm(library, teacher, make_model)
    distiller.evaluate(*arrays, verbose=0)
    assert (np.abs(norm.moving_mean).max() == 0) == (library == "keras_kd")


def by_name():
    return "mean_squared_error"


def by_function():
    return keras.losses.mean_squared_error


@pytest.mark.slow
@pytest.mark.parametrize("hard", [by_name, by_function])
def test_a_loss_without_an_object_counts_once_on_two_replicas(
    library, arrays, two_replicas, hard
):
    x = arrays[0].reshape(len(arrays[0]), -1).astype("float64")
    y = np.eye(10)[arrays[1]].astype("float32")
    with two_replicas.scope():
        teacher, student = (
            keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), dense])
            for dense in (keras.layers.Dense(10), keras.layers.Dense(10))
        )
        distiller = make(library, teacher, student, alpha=1.0, hard=hard())
    before = student.get_weights()[0].astype("float64")
    distiller.fit(arrays[0], y, batch_size=len(x), verbose=0)
    step = before - student.get_weights()[0]
    # One SGD step on the mean squared error, whose gradient is 2 (z - y) / 10.
    gap = x @ before - y
    expected = RATE * x.T @ (2.0 * gap / 10) / len(x)
    times = {"keras_kd": 1.0, "keras": 2.0}[library]
    np.testing.assert_allclose(step, times * expected, atol=2e-6)


def test_a_mixed_precision_student_learns_from_a_float32_teacher(
    library, teacher, make_model, arrays
):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        student = make_model(6)
    finally:
        keras.config.set_dtype_policy("float32")
    if library == "keras":
        with pytest.raises(ValueError, match="dtypes must match"):
            make(library, teacher, student)
        return
    value = total(make(library, teacher, student), *arrays)
    expected = by_hand(teacher, student, *arrays).mean()
    assert value == pytest.approx(expected, rel=1e-2)


def test_reloading_restores_the_optimizer(library, teacher, student, arrays, tmp_path):
    distiller = make(library, teacher, student)
    distiller.compile(keras.optimizers.Adam(0.01), CROSS_ENTROPY, jit_compile=False)
    distiller.fit(*arrays, batch_size=80, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    if library == "keras":
        with pytest.warns(UserWarning, match="was not called as part of model"):
            loaded = keras.models.load_model(tmp_path / "distiller.keras")
        loaded.compile(keras.optimizers.Adam(0.01), CROSS_ENTROPY)
    else:
        loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert distiller.optimizer.iterations == 4
    was, now = (
        [variable.numpy() for variable in model.optimizer.variables]
        for model in (distiller, loaded)
    )
    same = len(was) == len(now) and all(map(np.array_equal, was, now))
    assert same == (library == "keras_kd")


def test_the_teacher_is_left_as_it_was(library, teacher, student, arrays):
    make(library, teacher, student).fit(*arrays, verbose=0)
    is_ours = library == "keras_kd"
    assert teacher.trainable == is_ours
    assert bool(teacher.trainable_variables) == is_ours


def test_divergence_is_right_where_teacher_and_student_are_sure(library):
    def sure(of):
        head = keras.layers.Dense(2, use_bias=False)
        model = keras.Sequential([keras.Input((1,)), head])
        model.set_weights([np.array([of])])
        return model

    teacher, student = sure([100.0, -100.0]), sure([-100.0, 100.0])
    distiller = make(library, teacher, student, [soft(library, 1.0)], alpha=0.0)
    value = total(distiller, np.ones((4, 1)), np.zeros(4, int))
    assert softmax([100.0, -100.0])[0] == 1.0
    assert_only_ours(library, value, 200.0)
    if library == "keras":
        assert value == pytest.approx(-np.log(1e-7), rel=1e-3)

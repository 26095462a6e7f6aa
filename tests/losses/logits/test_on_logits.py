"""What holds for every loss on logits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.logits.correlation import CorrelationDistillation
from keras_kd.losses.logits.decoupled import DecoupledDistillation
from keras_kd.losses.logits.jensen_shannon import JensenShannonDistillation
from keras_kd.losses.logits.logit_regression import LogitRegressionDistillation
from keras_kd.losses.logits.multi_level import MultiLevelDistillation
from keras_kd.losses.logits.normalized import NormalizedDistillation
from keras_kd.losses.logits.standardized import StandardizedDistillation
from keras_kd.losses.logits.weighted_soft_label import WeightedSoftLabelDistillation
from keras_kd.outputs import ModelOutputs

SCHEDULE = keras.optimizers.schedules.PolynomialDecay(4.0, 10, 2.0)
LOSSES = [
    LogitRegressionDistillation(name="regression"),
    DecoupledDistillation(0.5, 2.0, SCHEDULE),
    NormalizedDistillation(0.5, SCHEDULE),
    CorrelationDistillation(2.0, 0.5, SCHEDULE),
    StandardizedDistillation(),
    StandardizedDistillation(DecoupledDistillation(temperature=SCHEDULE)),
    MultiLevelDistillation(SCHEDULE),
    MultiLevelDistillation(views=2, standardize=True),
    WeightedSoftLabelDistillation(SCHEDULE),
    JensenShannonDistillation(0.3, SCHEDULE),
    JensenShannonDistillation(0.0),
    JensenShannonDistillation(1.0),
]
NAMES = [f"{loss.name}-{number}" for number, loss in enumerate(LOSSES)]
EXTREMES = {
    "thousands": ([[1000.0, -1000.0, 0.0]] * 2, [[-1000.0, 1000.0, 0.0]] * 2),
    "equal thousands": ([[1000.0, -1000.0, 0.0]] * 2, [[1000.0, -1000.0, 0.0]] * 2),
    "zeros": ([[0.0, 0.0, 0.0]] * 2, [[0.0, 0.0, 0.0]] * 2),
    "student zero": ([[1.0, 2.0, 0.0]] * 2, [[0.0, 0.0, 0.0]] * 2),
}
LABELS = np.array([0, 1])
of_every_loss = pytest.mark.parametrize("loss", LOSSES, ids=NAMES)


def copy(loss):
    return keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )


def value_and_gradients(loss, teacher, student):
    teacher, student = tf.constant(teacher), tf.constant(student)
    with tf.GradientTape() as tape:
        tape.watch([teacher, student])
        labels = LABELS[np.arange(len(student)) % 2]
        value = loss(ModelOutputs(teacher), ModelOutputs(student), labels)
        total = tf.reduce_sum(value)
    return value, tape.gradient(total, [teacher, student])


@of_every_loss
@pytest.mark.parametrize("case", EXTREMES)
def test_value_and_gradient_are_finite_at_extremes(loss, case):
    value, (of_teacher, of_student) = value_and_gradients(copy(loss), *EXTREMES[case])
    assert np.isfinite(value).all()
    assert np.isfinite(of_student).all()
    assert of_teacher is None


@pytest.mark.parametrize(
    "loss",
    [loss for loss in LOSSES if getattr(loss, "views", 1) == 1],
    ids=lambda loss: loss.name,
)
def test_a_batch_of_one_is_finite(loss):
    value, (_, of_student) = value_and_gradients(
        copy(loss), [[3.0, 1.0, 0.0]], [[0.0, 2.0, 1.0]]
    )
    assert np.isfinite(value).all()
    assert np.isfinite(of_student).all()


@of_every_loss
def test_half_precision_is_computed_in_float32(loss):
    teacher, student = np.float16([[3, 1, 0], [0, 2, 1]]), np.float16([[1, 0, 1]] * 2)
    half = copy(loss)(ModelOutputs(teacher), ModelOutputs(student), LABELS)
    full = copy(loss)(
        ModelOutputs(teacher.astype("float32")),
        ModelOutputs(student.astype("float32")),
        LABELS,
    )
    assert half.dtype == "float32"
    np.testing.assert_array_equal(half, full)


@of_every_loss
def test_config_round_trips(loss):
    again = copy(loss)
    assert again.get_config() == loss.get_config()
    assert again.name == loss.name


@of_every_loss
def test_different_class_counts_are_an_error(loss):
    with pytest.raises(ValueError, match="same number of classes"):
        copy(loss)(ModelOutputs(tf.ones((2, 3))), ModelOutputs(tf.ones((2, 4))), LABELS)


@of_every_loss
def test_one_class_is_an_error_for_a_softmax(loss):
    one = ModelOutputs(tf.ones((2, 1)))
    if isinstance(loss, LogitRegressionDistillation):
        np.testing.assert_array_equal(copy(loss)(one, one), [0.0, 0.0])
        return
    with pytest.raises(ValueError, match="at least 2 classes"):
        copy(loss)(one, one, LABELS)


@of_every_loss
def test_compiled_with_an_open_batch_size_it_gives_the_same(loss):
    specification = tf.TensorSpec((None, 3))
    teacher = np.float32([[3, 1, 0], [0, 2, 1], [1, 1, 4], [0, -2, 5]])
    student = np.float32([[1, 0, 1], [0, 0, 3], [2, 1, 0], [0, 1, 0]])
    labels = np.array([0, 1, 2, 2])
    loss = copy(loss)

    @tf.function(input_signature=[specification, specification])
    def compiled(teacher, student):
        return loss(ModelOutputs(teacher), ModelOutputs(student), labels)

    expected = copy(loss)(ModelOutputs(teacher), ModelOutputs(student), labels)
    np.testing.assert_allclose(compiled(teacher, student), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        DecoupledDistillation(),
        NormalizedDistillation(),
        WeightedSoftLabelDistillation(),
        StandardizedDistillation(DecoupledDistillation()),
    ],
    ids=lambda loss: loss.name,
)
def test_missing_labels_are_an_error_that_names_the_loss(loss):
    same = ModelOutputs(tf.ones((2, 3)))
    with pytest.raises(ValueError, match=r"Distillation: expected labels.* got None"):
        loss(same, same)


@pytest.mark.parametrize(
    "kind",
    [
        DecoupledDistillation,
        NormalizedDistillation,
        CorrelationDistillation,
        MultiLevelDistillation,
        WeightedSoftLabelDistillation,
        JensenShannonDistillation,
    ],
)
@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), "hot"])
def test_temperature_must_be_positive(kind, temperature):
    with pytest.raises(ValueError, match="`temperature` to be a number above 0"):
        kind(temperature=temperature)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (DecoupledDistillation, "alpha"),
        (DecoupledDistillation, "beta"),
        (NormalizedDistillation, "gamma"),
        (CorrelationDistillation, "beta"),
        (CorrelationDistillation, "gamma"),
    ],
)
def test_weights_may_be_zero_but_not_negative(kind, name):
    kind(**{name: 0})
    with pytest.raises(ValueError, match=f"`{name}` to be a number of at least 0"):
        kind(**{name: -1})

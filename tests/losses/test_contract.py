"""What every distillation loss owes its caller: sound numbers, from finite to fair."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.losses.every_loss import (
    EVERY_LOSS,
    REPRESENTATIVES,
    USE_LOGITS,
    random_batch,
)

each_loss = pytest.mark.parametrize("name", sorted(EVERY_LOSS))

# Outputs of a model, from ordinary to broken.
KINDS = {
    "ordinary": lambda values: values,
    "thousands": lambda values: 1000 * np.sign(values),
    "equal thousands": lambda values: np.full_like(values, 1000),
    "zeros": np.zeros_like,
    "too small to square": lambda values: np.float32(1e-24) * values,
}
REFUSE_ONE_EXAMPLE = {
    "CongruenceDistillation": "an example alone has no neighbours in the batch",
    "RelationalDistillation": "an example alone has no distances and no angles",
}
# All others give the same, or the same in another order, for a batch in another order.
DEPEND_ON_THE_ORDER = {
    "CongruenceDistillation": "compares each example with the next one of the batch",
    "ContrastiveDistillation": "draws other negatives for each place in the batch",
}
# Not compared in another order while they train: what they hide is drawn by place.
MASK_IN_TRAINING = {"MaskedGenerativeDistillation"}


def new_loss(name):
    """The loss, with the same weights and the same draws whenever it is made."""
    keras.utils.set_random_seed(0)
    return EVERY_LOSS[name]()


def of_kind(outputs, kind):
    return keras.tree.map_structure(KINDS[kind], outputs)


def value_of(loss, batch, *, training=True):
    teacher, student, labels, example_ids = batch
    return loss(teacher, student, labels, example_ids=example_ids, training=training)


def value_and_gradients(loss, batch):
    """The value; its gradients of what the loss uses of the student and its weights."""
    teacher, student = keras.tree.map_structure(tf.constant, batch[:2])
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = value_of(loss, batch._replace(teacher=teacher, student=student))
    sources = [*student.features.values()]
    sources += [weight.value for weight in loss.trainable_weights]
    if type(loss).__name__ in USE_LOGITS:
        sources.append(student.logits)
    return value, tape.gradient(value, sources)


def is_finite(loss, batch):
    """False as well if no gradient arrives where one should."""
    value, gradients = value_and_gradients(loss, batch)
    return all(
        tensor is not None and np.isfinite(tensor).all()
        for tensor in (value, *gradients)
    )


@pytest.mark.quick_for(*REPRESENTATIVES)
@each_loss
def test_loss_and_gradients_are_finite_at_extremes(name):
    loss, batch = new_loss(name), random_batch(name)
    broken = [
        f"teacher {one}, student {other}"
        for one, other in itertools.product(KINDS, repeat=2)
        if not is_finite(
            loss,
            batch._replace(
                teacher=of_kind(batch.teacher, one),
                student=of_kind(batch.student, other),
            ),
        )
    ]
    assert broken == []


@pytest.mark.quick_for(*REPRESENTATIVES)
@each_loss
def test_loss_and_gradients_are_finite_when_student_equals_teacher(name):
    loss, batch = new_loss(name), random_batch(name)
    broken = [
        kind
        for kind in KINDS
        if not is_finite(
            loss,
            batch._replace(
                teacher=of_kind(batch.teacher, kind),
                student=of_kind(batch.teacher, kind),
            ),
        )
    ]
    assert broken == []


@each_loss
@pytest.mark.parametrize("batch_size", [1, 2])
def test_small_batches_give_finite_numbers_or_are_refused(name, batch_size):
    loss, batch = new_loss(name), random_batch(name, batch_size)
    if batch_size == 1 and name in REFUSE_ONE_EXAMPLE:
        with pytest.raises(ValueError, match=rf"{name}: .*at least 2 examples.* got a"):
            value_of(loss, batch)
    else:
        assert is_finite(loss, batch)


@each_loss
def test_no_gradient_reaches_the_teacher(name):
    batch = random_batch(name)
    teacher = keras.tree.map_structure(tf.constant, batch.teacher)
    with tf.GradientTape() as tape:
        tape.watch(teacher)
        value = value_of(new_loss(name), batch._replace(teacher=teacher))
    gradients = tape.gradient(value, keras.tree.flatten(teacher))
    assert all(gradient is None or not np.any(gradient) for gradient in gradients)


@each_loss
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(name, dtype):
    def cast(outputs, dtype):
        return keras.tree.map_structure(lambda x: tf.cast(x, dtype), outputs)

    batch = random_batch(name)
    teacher, student = (cast(outputs, dtype) for outputs in batch[:2])
    half = batch._replace(teacher=teacher, student=student)
    full = batch._replace(
        teacher=cast(teacher, "float32"), student=cast(student, "float32")
    )
    value = value_of(new_loss(name), half)
    assert value.dtype == "float32"
    np.testing.assert_allclose(value, value_of(new_loss(name), full), rtol=1e-6)


@each_loss
def test_there_is_one_value_per_example_in_their_order_or_one_of_the_batch(name):
    order = np.array([2, 0, 3, 1])
    batch = random_batch(name)
    turned = keras.tree.map_structure(lambda values: values[order], batch)
    training = name not in MASK_IN_TRAINING
    value = np.array(value_of(new_loss(name), batch, training=training))
    of_turned = value_of(new_loss(name), turned, training=training)
    assert value.shape in [(4,), ()]
    expected = value[order] if value.shape else value
    is_same = np.allclose(of_turned, expected, rtol=1e-4, atol=1e-4 * value.std())
    assert is_same == (name not in DEPEND_ON_THE_ORDER)

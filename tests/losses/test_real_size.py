"""Losses at 1,000 classes and on maps of 56 x 56 x 256."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from keras_kd import losses
from keras_kd.outputs import ModelOutputs
from tests.losses.every_loss import EVERY_LOSS, ON_LAYERS, ON_LOGITS
from tests.real_size import CLASSES

BATCH = 64
MAPS = {
    "conv_1": (56, 56, 256),
    "block_1": (56, 56, 256),
    "conv_2": (28, 28, 256),
    "block_2": (28, 28, 256),
    "class_maps": (14, 14, CLASSES),
    "pooled": (1280,),
}
# Those of `every_loss` are made for layers of six channels.
OF_THESE_CHANNELS = {
    "FactorDistillation": lambda: losses.FactorDistillation(
        "block_2", "block_2", losses.Paraphraser(256)
    ),
    "OverhaulDistillation": lambda: losses.OverhaulDistillation(
        "conv_2", "conv_2", margins=[[-1.0] * 256]
    ),
}


# Whose value is drawn, or depends on the draws of the step before.
RANDOM = {"ContrastiveDistillation", "MaskedGenerativeDistillation"}


def outputs(generator, paths, batch=BATCH):
    """Logits as of a model that is sure, and features."""

    def draw(*shape):
        return generator.standard_normal((batch, *shape), "float32")

    return ModelOutputs(8 * draw(CLASSES), {path: draw(*MAPS[path]) for path in paths})


def value_and_gradients(loss, teacher, student, labels):
    numbers = np.arange(len(labels))
    teacher, student = keras.tree.map_structure(tf.constant, (teacher, student))
    used = [*student.features.values()] or [student.logits]
    with tf.GradientTape() as tape:
        tape.watch(used)
        value = loss(teacher, student, labels, example_ids=numbers)
    return value.numpy(), tape.gradient(value, used)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ON_LOGITS, *ON_LAYERS])
def test_every_loss_is_finite_and_its_float16_value_near(name):
    generator = np.random.default_rng(0)
    loss = OF_THESE_CHANNELS.get(name, EVERY_LOSS[name])()
    batch = BATCH if name in ON_LOGITS else 8
    teacher, student = (
        outputs(generator, paths, batch)
        for paths in (loss.teacher_layers, loss.student_layers)
    )
    labels = generator.integers(0, CLASSES, batch)
    if name == "MultiLabelDistillation":
        labels = np.eye(CLASSES)[labels]
    value, gradients = value_and_gradients(loss, teacher, student, labels)
    assert np.isfinite(value).all()
    assert value.mean() > 0
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        assert np.any(gradient)
    halves = keras.tree.map_structure(
        lambda values: values.astype("float16"), (teacher, student)
    )
    half, _ = value_and_gradients(loss, *halves, labels)
    if name not in RANDOM:
        assert half.mean() == pytest.approx(value.mean(), rel=0.01)


def test_soft_targets_of_1000_classes_are_the_divergence_of_scipy():
    generator = np.random.default_rng(1)
    teacher, student = outputs(generator, []), outputs(generator, [])
    log_p, log_q = (
        log_softmax(one.logits.astype("float64") / 4, axis=-1)
        for one in (teacher, student)
    )
    expected = 16 * (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)
    found = losses.SoftTargetDistillation(4.0)(teacher, student)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_correlation_of_1000_classes_is_that_of_numpy():
    generator = np.random.default_rng(2)
    teacher, student = outputs(generator, []), outputs(generator, [])
    loss = losses.CorrelationDistillation()
    p, q = (
        softmax(one.logits.astype("float64") / loss.temperature, axis=-1)
        for one in (teacher, student)
    )
    between = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(p, q, strict=True)])
    within = np.mean(
        [1 - np.corrcoef(a, b)[0, 1] for a, b in zip(p.T, q.T, strict=True)]
    )
    expected = loss.temperature**2 * (between + within)
    assert np.mean(loss(teacher, student)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_similarity_of_64_large_maps_is_that_of_numpy():
    """Sums over 802,816 numbers, in float32."""
    generator = np.random.default_rng(3)
    teacher, student = (outputs(generator, ["block_1"]) for _ in range(2))
    # As behind a ReLU: not of mean 0, so that sums are large.
    for one in (teacher, student):
        np.maximum(one.features["block_1"], 0, out=one.features["block_1"])

    def similarity(one):
        flat = one.features["block_1"].reshape(BATCH, -1).astype("float64")
        products = flat @ flat.T
        return products / np.linalg.norm(products, axis=1, keepdims=True)

    expected = np.mean((similarity(teacher) - similarity(student)) ** 2)
    found = losses.SimilarityDistillation("block_1", "block_1")(teacher, student)
    assert np.mean(found) == pytest.approx(expected, rel=0.01)

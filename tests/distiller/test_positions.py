"""A decision at each pixel or token: only positions that count are learnt from."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.losses import SparseCategoricalCrossentropy
from scipy.special import log_softmax, softmax

import keras_kd
from keras_kd.losses import (
    DecoupledDistillation,
    PixelDistillation,
    SoftTargetDistillation,
    TokenDistillation,
)
from keras_kd.outputs import ModelOutputs
from tests.losses.every_loss import ON_LOGITS

CLASSES = 5
ALPHA = 0.3
TEMPERATURE = 2.0


def tagger(width, activation=None):
    """Tokens 1 to 19 to one of five tags each; 0 is padding."""
    stack = [
        keras.Input((None,), dtype="int32"),
        layers.Embedding(20, width, "glorot_normal", mask_zero=True),
        layers.Dense(width, activation="relu"),
        layers.Dense(CLASSES, activation=activation),
    ]
    return keras.Sequential(stack)


def segmenter(width):
    """Images to one of five classes at each pixel."""
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(width, 3, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, layers.Conv2D(CLASSES, 1)(x))


@pytest.fixture
def texts():
    """Texts of 1 to 7 tokens, padded to 7, and a tag for each token."""
    generator = np.random.default_rng(0)
    tokens = generator.integers(1, 20, (24, 7))
    lengths = generator.integers(1, 8, (24, 1))
    tokens[np.arange(7) >= lengths] = 0
    return tokens, generator.integers(0, CLASSES, (24, 7))


@pytest.fixture
def images():
    """Images, a class for each pixel, and the same with 255 for a third of them."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(16, 6, 6, 2)).astype("float32")
    y = generator.integers(0, CLASSES, (16, 6, 6))
    return x, y, np.where(generator.uniform(size=y.shape) < 1 / 3, 255, y)


def hard_and_soft(teacher, student, x, y):
    """The two terms at each position, in NumPy."""
    z_t, z_s = (model.predict(x, verbose=0) for model in (teacher, student))
    classes = np.where(y < CLASSES, y, 0)
    log_p = log_softmax(z_s, axis=-1)
    hard = -np.take_along_axis(log_p, classes[..., None], -1)[..., 0]
    p_t = softmax(z_t / TEMPERATURE, axis=-1)
    gap = log_softmax(z_t / TEMPERATURE, -1) - log_softmax(z_s / TEMPERATURE, -1)
    return hard, TEMPERATURE**2 * (p_t * gap).sum(-1)


def evaluated(teacher, student, x, y, loss=None, losses=None, **options):
    options = (
        {"distillation_losses": losses} if losses else {"temperature": TEMPERATURE}
    )
    distiller = keras_kd.Distiller(teacher, student, alpha=ALPHA, **options)
    distiller.compile("sgd", loss)
    return distiller.evaluate(x, y, batch_size=len(x), verbose=0, return_dict=True)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_padding_counts_in_no_term(texts, activation):
    x, y = texts
    teacher, student = tagger(16, activation), tagger(6, activation)
    logged = evaluated(teacher, student, x, y)
    bare = [keras.Sequential(m.layers) for m in (teacher, student)]
    for model in bare:
        model.layers[-1].activation = keras.activations.linear
    hard, soft = hard_and_soft(*bare, x, y)
    kept = x != 0
    assert logged["student_loss"] == pytest.approx(hard[kept].mean(), rel=1e-4)
    assert logged["soft_target_loss"] == pytest.approx(soft[kept].mean(), rel=1e-3)
    total = ALPHA * hard[kept].mean() + (1 - ALPHA) * soft[kept].mean()
    assert logged["loss"] == pytest.approx(total, rel=1e-3)


def test_what_stands_in_padding_changes_no_weight(texts):
    x, y = texts
    teacher, student = tagger(16), tagger(6)
    start, results = student.get_weights(), []
    for labels in (y, np.where(x == 0, (y + 1) % CLASSES, y)):
        student.set_weights(start)
        distiller = keras_kd.Distiller(teacher, student, alpha=0.5)
        distiller.compile(keras.optimizers.SGD(0.1))
        distiller.fit(x, labels, batch_size=8, shuffle=False, epochs=2, verbose=0)
        results.append(student.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.allclose(results[0][-1], start[-1])


def test_token_loss_hears_of_the_mask(texts):
    x, y = texts
    teacher, student = tagger(16), tagger(6)
    logged = evaluated(teacher, student, x, y, losses=TokenDistillation(TEMPERATURE))
    _, soft = hard_and_soft(teacher, student, x, y)
    assert logged["token_loss"] == pytest.approx(soft[x != 0].mean(), rel=1e-3)


def test_pixels_are_classified_one_by_one(images):
    x, y, _ = images
    teacher, student = segmenter(12), segmenter(4)
    hard, soft = hard_and_soft(teacher, student, x, y)
    for labels in (y, y[..., None], keras.utils.to_categorical(y, CLASSES)):
        logged = evaluated(teacher, student, x, labels)
        assert logged["student_loss"] == pytest.approx(hard.mean(), rel=1e-4)
        assert logged["soft_target_loss"] == pytest.approx(soft.mean(), rel=1e-3)


@pytest.mark.parametrize("column", [False, True])
def test_ignored_label_counts_in_no_term(images, column):
    x, _, y = images
    teacher, student = segmenter(12), segmenter(4)
    loss = SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    labels = y[..., None] if column else y
    logged = evaluated(teacher, student, x, labels, loss)
    hard, soft = hard_and_soft(teacher, student, x, y)
    kept = y != 255
    assert logged["student_loss"] == pytest.approx(hard[kept].mean(), rel=1e-4)
    assert logged["soft_target_loss"] == pytest.approx(soft[kept].mean(), rel=1e-3)
    logged = evaluated(
        teacher, student, x, labels, loss, losses=PixelDistillation(TEMPERATURE)
    )
    assert logged["pixel_loss"] == pytest.approx(soft[kept].mean(), rel=1e-3)


@pytest.mark.parametrize("column", [False, True])
def test_each_position_may_have_a_weight(images, column):
    x, y, _ = images
    teacher, student = segmenter(12), segmenter(4)
    weight = np.random.default_rng(1).uniform(0, 2, y.shape).astype("float32")
    distiller = keras_kd.Distiller(teacher, student, temperature=TEMPERATURE)
    distiller.compile("sgd")
    logged = distiller.evaluate(
        x,
        y,
        sample_weight=weight[..., None] if column else weight,
        batch_size=len(x),
        verbose=0,
        return_dict=True,
    )
    hard, soft = hard_and_soft(teacher, student, x, y)
    assert logged["student_loss"] == pytest.approx((weight * hard).mean(), rel=1e-4)
    assert logged["soft_target_loss"] == pytest.approx((weight * soft).mean(), rel=1e-3)


def test_weights_of_positions_for_one_value_an_example(images):
    x, y, _ = images
    distiller = keras_kd.Distiller(segmenter(8), segmenter(4), PixelDistillation())
    distiller.compile("sgd")
    with pytest.raises(ValueError, match="one weight for each example"):
        distiller.fit(x, y, sample_weight=np.ones(y.shape), verbose=0)


def test_loss_on_one_decision_an_example_is_refused():
    with pytest.raises(ValueError, match=r"logits of shape \(batch, num_classes\)"):
        keras_kd.Distiller(segmenter(8), segmenter(4), DecoupledDistillation())


def test_labels_of_another_size(images):
    x, y, _ = images
    distiller = keras_kd.Distiller(segmenter(8), segmenter(4))
    distiller.compile("sgd")
    with pytest.raises(ValueError, match=r"\(batch, 6, 6\) or \(batch, 6, 6, 5\)"):
        distiller.fit(x, y[:, :3], verbose=0)


@pytest.mark.parametrize("name", sorted(ON_LOGITS))
def test_a_loss_takes_positions_as_if_they_were_examples(name):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(2, 3, 4, 10)).astype("float32")
    labels = np.arange(12).reshape(3, 4) % 10
    loss = ON_LOGITS[name]()
    dense = [ModelOutputs(ops.array(z)) for z in logits]
    if not loss.takes_positions:
        with pytest.raises(ValueError, match=r"\(batch, num_classes\)"):
            loss(*dense, ops.array(labels))
        return
    flat = [ModelOutputs(ops.array(z.reshape(12, 10))) for z in logits]
    expected = ON_LOGITS[name]()(*flat, ops.array(labels.ravel()))
    found = loss(*dense, ops.array(labels))
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-6)


def test_agreement_is_that_of_positions_that_count(texts):
    x, y = texts
    teacher, student = tagger(16), tagger(6)
    distiller = keras_kd.Distiller(teacher, student, teacher_agreement=True)
    distiller.compile("sgd")
    logged = distiller.evaluate(x, y, batch_size=len(x), verbose=0, return_dict=True)
    said = [model.predict(x, verbose=0).argmax(-1) for model in (teacher, student)]
    expected = (said[0] == said[1])[x != 0].mean()
    assert logged["teacher_agreement"] == pytest.approx(expected, rel=1e-6)


def test_an_ensemble_teaches_each_pixel(images):
    x, y, _ = images
    teachers, student = [segmenter(12), segmenter(8)], segmenter(4)
    logged = evaluated(teachers, student, x, y)
    z_t = [model.predict(x, verbose=0) / TEMPERATURE for model in teachers]
    p_t = np.mean(softmax(z_t, axis=-1), axis=0)
    log_p = log_softmax(student.predict(x, verbose=0) / TEMPERATURE, axis=-1)
    soft = TEMPERATURE**2 * (p_t * (np.log(p_t) - log_p)).sum(-1).mean()
    assert logged["soft_target_loss"] == pytest.approx(soft, rel=1e-3)


def test_positions_train_with_a_schedule(images):
    x, y, _ = images
    schedule = keras.optimizers.schedules.PolynomialDecay(4.0, 4, 1.0)
    loss = SoftTargetDistillation(schedule)
    distiller = keras_kd.Distiller(segmenter(12), segmenter(4), loss, alpha=0.0)
    distiller.compile(keras.optimizers.Adam(0.02))
    history = distiller.fit(x, y, epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]

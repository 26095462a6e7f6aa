"""MobileNetV2 and texts of 512 tokens: `fit` is still what the formula says."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.special import log_softmax

import keras_kd
from keras_kd.losses import TokenDistillation
from tests.distiller.test_training import assert_same_weights, clone
from tests.real_size import CLASSES, PIXELS, TOKENS, VOCABULARY, text_net, texts

ALPHA = 0.3
T = 4.0
RATE = 0.01


def divergence(teacher_logits, student_logits):
    """T² · KL in NumPy."""
    log_p, log_q = (
        log_softmax(np.asarray(logits, "float64") / T, axis=-1)
        for logits in (teacher_logits, student_logits)
    )
    return T**2 * (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def cross_entropy(logits, y):
    log_q = log_softmax(np.asarray(logits, "float64"), axis=-1)
    return -np.take_along_axis(log_q, y[..., None], axis=-1)[..., 0]


def one_step(teacher, student, x, y):
    """A step of SGD in plain TensorFlow; returns the loss before it."""
    soft = tf.nn.softmax(teacher(x, training=False) / T)
    with tf.GradientTape() as tape:
        logits = student(x, training=True)
        hard = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        log_q = tf.nn.log_softmax(logits / T)
        kl = tf.reduce_sum(soft * (tf.math.log(soft) - log_q), axis=-1)
        loss = tf.reduce_mean(ALPHA * hard + (1 - ALPHA) * T**2 * kl)
    gradients = tape.gradient(loss, student.trainable_variables)
    for gradient, variable in zip(gradients, student.trainable_variables, strict=True):
        variable.assign_sub(RATE * gradient)
    return float(loss)


class Subclassed(keras.Model):
    """A student as people write it by hand."""

    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(16, 5, strides=4, activation="relu")
        self.pool = layers.GlobalAveragePooling2D()
        self.scores = layers.Dense(CLASSES)

    def call(self, inputs):
        return self.scores(self.pool(self.conv(inputs)))


def functional():
    stack = [
        keras.Input((PIXELS, PIXELS, 3)),
        layers.Conv2D(16, 5, strides=4, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(CLASSES),
    ]
    return keras.Sequential(stack)


def distiller_of(teacher, student, **options):
    distiller = keras_kd.Distiller(
        teacher, student, alpha=ALPHA, temperature=T, **options
    )
    distiller.compile(keras.optimizers.SGD(RATE))
    return distiller


@pytest.mark.slow
def test_fit_of_a_small_mobilenet_takes_the_step_of_the_formula(
    mobilenet_v2, small_mobilenet, images
):
    x, y = images[0][:16], images[1][:16]
    student, by_hand = clone(small_mobilenet), clone(small_mobilenet)
    before = mobilenet_v2.get_weights()
    expected = one_step(mobilenet_v2, by_hand, x, y)
    distiller = distiller_of(mobilenet_v2, student)
    history = distiller.fit(x, y, batch_size=16, verbose=0).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)
    ours, theirs, old = (
        np.concatenate([weight.ravel() for weight in model.get_weights()])
        for model in (student, by_hand, small_mobilenet)
    )
    # Sums in another order, through 52 normalised layers.
    assert np.linalg.norm(ours - theirs) < 0.05 * np.linalg.norm(theirs - old)
    for ours, theirs in zip(before, mobilenet_v2.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_photos_of_224_pixels_teach_through_a_resizing(mobilenet_v2, photos):
    """The teacher takes 96 pixels, the student all of them."""
    x, y = next(photos.train.batches(16).as_numpy_iterator())
    stack = [keras.Input((224, 224, 3)), layers.Conv2D(8, 7, strides=4)]
    student = keras.Sequential(
        [*stack, layers.GlobalAveragePooling2D(), layers.Dense(CLASSES)]
    )
    resize = layers.Resizing(PIXELS, PIXELS)
    distiller = distiller_of(mobilenet_v2, student, teacher_preprocessing=resize)
    logs = distiller.evaluate(x, y, batch_size=16, return_dict=True, verbose=0)
    student_logits = student.predict(x, verbose=0)
    small = tf.image.resize(x, (PIXELS, PIXELS))
    soft = divergence(mobilenet_v2.predict(small, verbose=0), student_logits)
    assert logs["soft_target_loss"] == pytest.approx(soft.mean(), rel=1e-3)
    hard = cross_entropy(student_logits, y)
    assert logs["student_loss"] == pytest.approx(hard.mean(), rel=1e-4)


@pytest.mark.slow
def test_padding_of_512_tokens_changes_nothing():
    teacher, student = text_net(64), text_net(16, seed=1, name="student")
    alone = text_net(64, length=None), text_net(16, length=None)
    x, lengths = texts(24)
    y = np.random.default_rng(1).integers(0, CLASSES, 24)
    distiller = distiller_of(teacher, student)
    logs = distiller.evaluate(x, y, batch_size=8, return_dict=True, verbose=0)
    logits = []
    for model, weights in zip(alone, (teacher, student), strict=True):
        model.set_weights(weights.get_weights())
        unpadded = [text[None, :n] for text, n in zip(x, lengths, strict=True)]
        logits.append(np.concatenate([model(text) for text in unpadded]))
    assert logs["soft_target_loss"] == pytest.approx(
        divergence(*logits).mean(), rel=0.01
    )
    assert logs["student_loss"] == pytest.approx(
        cross_entropy(logits[1], y).mean(), rel=1e-4
    )
    history = distiller.fit(x, y, batch_size=8, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.slow
def test_each_of_512_tokens_teaches_but_those_of_the_padding():
    def tagger(width, seed):
        keras.utils.set_random_seed(seed)
        tokens = keras.Input((TOKENS,), dtype="int32")
        wide = keras.initializers.RandomNormal(stddev=2.0)
        x = layers.Embedding(VOCABULARY, width, wide, mask_zero=True)(tokens)
        return keras.Model(tokens, layers.Dense(CLASSES)(x))

    teacher, student = tagger(32, 0), tagger(8, 1)
    x, lengths = texts(8)
    y = np.random.default_rng(1).integers(0, CLASSES, x.shape)
    distiller = keras_kd.Distiller(
        teacher, student, TokenDistillation(temperature=T), alpha=ALPHA
    )
    distiller.compile("sgd")
    logs = distiller.evaluate(x, y, batch_size=8, return_dict=True, verbose=0)
    kept = np.arange(TOKENS) < lengths[:, None]
    logits = [np.asarray(model(x))[kept] for model in (teacher, student)]
    assert logs["token_loss"] == pytest.approx(divergence(*logits).mean(), rel=1e-3)
    expected = cross_entropy(logits[1], y[kept]).mean()
    assert logs["student_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_subclassed_student_learns_what_a_functional_one_learns(mobilenet_v2, images):
    x, y = images
    models = Subclassed(), functional()
    models[0](x[:1])
    models[0].set_weights(models[1].get_weights())
    for student in models:
        distiller = distiller_of(mobilenet_v2, student)
        distiller.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    assert_same_weights(*models)


@pytest.mark.slow
def test_weights_of_a_subclassed_student_can_be_saved(mobilenet_v2, images, tmp_path):
    distiller = distiller_of(mobilenet_v2, Subclassed())
    distiller.fit(images[0][:16], images[1][:16], verbose=0)
    distiller.save_weights(tmp_path / "d.weights.h5")


@pytest.mark.slow
def test_saved_distiller_is_as_large_as_its_student(
    mobilenet_v2, small_mobilenet, images, tmp_path
):
    student = clone(small_mobilenet)
    distiller = keras_kd.Distiller(mobilenet_v2, student)
    distiller.compile("adam")
    distiller.fit(images[0][:8], images[1][:8], verbose=0)
    distiller.save(tmp_path / "d.keras")
    size = (tmp_path / "d.keras").stat().st_size
    # Adam keeps two numbers for each weight that is trained.
    trained = sum(np.prod(weight.shape) for weight in student.trainable_weights)
    expected = 4 * (student.count_params() + 2 * trained)
    # What Keras writes of layers and names comes on top.
    assert expected < size < expected + 4 * mobilenet_v2.count_params() / 10

"""Photos of 224 pixels and 1,000 classes, explained."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import softmax

from keras_kd.explain import (
    class_similarity,
    map_agreement,
    maps,
    outcomes,
    reliability,
    soft_target_entropy,
)
from tests.real_size import CLASSES, mobilenet


@pytest.fixture(scope="module")
def large_images(photos):
    """Eight photos at 224 x 224 pixels."""
    return next(photos.train.batches(8).as_numpy_iterator())[0]


@pytest.fixture(scope="module")
def pair(large_images):
    """A teacher and a student for photos of 224 pixels."""
    return [
        mobilenet(large_images, alpha=alpha, seed=seed)
        for alpha, seed in ((1.0, 1), (0.35, 2))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grad_cam++", "saliency"])
def test_maps_are_as_large_as_the_photos(pair, large_images, method):
    x = large_images[: 4 if method == "grad_cam++" else 2]
    found = maps(*pair, x, method=method)
    for role, model in zip((found.teacher, found.student), pair, strict=True):
        assert role.shape == (len(x), 224, 224)
        assert role.min() >= 0
        assert role.max() == pytest.approx(1, abs=1e-5)
        assert model.trainable
    chosen = pair[0].predict(x, verbose=0).argmax(-1)
    np.testing.assert_array_equal(found.classes, chosen)
    agreement = map_agreement(found)
    assert np.all(np.abs(agreement.rank_correlation) <= 1)
    itself = map_agreement(dataclasses.replace(found, student=found.teacher))
    np.testing.assert_allclose(itself.top_overlap, 1)


@pytest.mark.slow
def test_map_of_a_model_of_one_channel_is_brightest_where_the_channel_is():
    inputs = keras.Input((224, 224, 3))
    conv = layers.Conv2D(1, 4, 4, kernel_initializer="ones", name="conv")
    pooled = layers.GlobalAveragePooling2D()(conv(inputs))
    model = keras.Model(inputs, layers.Dense(CLASSES)(pooled))
    x = np.zeros((2, 224, 224, 3), "float32")
    corners = [(40, 160), (200, 8)]
    for image, (top, left) in zip(x, corners, strict=True):
        image[top : top + 8, left : left + 8] = 1
    classes = np.flatnonzero(model.layers[-1].kernel.numpy()[0] > 0)[:2]
    found = maps(model, model, x, classes=classes)
    for map_, corner in zip(found.teacher, corners, strict=True):
        place = np.array(np.unravel_index(map_.argmax(), map_.shape))
        assert np.all((place >= corner) & (place < np.array(corner) + 8))


def test_what_1000_classes_say_is_what_numpy_counts():
    generator = np.random.default_rng(0)
    y = generator.integers(0, CLASSES, 3000)
    logits = generator.normal(0, 3, (3, 3000, CLASSES)).astype("float32")
    logits[:, np.arange(3000), y] += [[9.0], [6.0], [3.0]]
    teacher, student, scratch = logits
    found = outcomes(y, teacher, student, scratch)
    ours, other = (one.argmax(-1) == y for one in (student, scratch))
    np.testing.assert_array_equal(found.helped, np.flatnonzero(ours & ~other))
    np.testing.assert_array_equal(found.hurt, np.flatnonzero(~ours & other))
    assert len(found.by_class) == CLASSES
    assert sum(one.helped for one in found.by_class) == len(found.helped)
    similarity = class_similarity(teacher, y, temperature=4.0)
    number = int(np.bincount(y).argmax())
    expected = softmax(teacher[y == number].astype("float64") / 4, axis=-1).mean(0)
    np.testing.assert_allclose(similarity[number], expected, rtol=1e-4)
    entropy = soft_target_entropy(teacher, [1.0, 4.0])
    p = softmax(teacher.astype("float64") / 4, axis=-1)
    np.testing.assert_allclose(
        entropy.entropy_nats[1], -(p * np.log(p)).sum(-1), rtol=1e-4
    )
    assert entropy.largest_nats == pytest.approx(np.log(CLASSES))
    confidence = softmax(student, axis=-1).max(-1)
    assert reliability(student, y).confidence[-1] == pytest.approx(
        confidence[confidence > 14 / 15].mean(), rel=1e-4
    )

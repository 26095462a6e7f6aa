"""Five MobileNetV2s as one teacher, their stored answers, and one as a file."""

import keras
import numpy as np
import pytest
from scipy.special import softmax

import keras_kd
from keras_kd.teachers import Ensemble, FrozenTeacher, LiteRtTeacher, label
from tests.real_size import CLASSES, PIXELS, mobilenet

TOP = 10


@pytest.fixture(scope="module")
def five(images):
    """Five MobileNetV2s that were not trained alike."""
    return [mobilenet(images[0][:16], seed=seed) for seed in range(5)]


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_five_teachers_give_the_mean_of_their_probabilities(five, images, temperature):
    x = images[0][:16]
    weights = [5, 4, 3, 2, 1]
    found = Ensemble(five, weights)(x).at_temperature(temperature)
    members = [
        softmax(np.asarray(model(x), "float64") / temperature, axis=-1)
        for model in five
    ]
    expected = np.average(members, axis=0, weights=weights)
    np.testing.assert_allclose(
        softmax(np.asarray(found.logits) / temperature, axis=-1), expected, atol=1e-5
    )


@pytest.mark.slow
def test_ten_stored_of_1000_classes_are_those_of_predict(
    mobilenet_v2, small_photos, tmp_path
):
    part = small_photos.validation
    soft = label(mobilenet_v2, part, tmp_path, top_k=TOP, batch_size=50)
    assert (soft.num_classes, soft.count) == (CLASSES, 150)
    (x, _), *_ = soft.attach(part, batch_size=150).as_numpy_iterator()
    logits = mobilenet_v2.predict(x.inputs, verbose=0)
    largest = np.argsort(-logits, axis=-1)[:, :TOP]
    found, expected = (
        np.take_along_axis(softmax(values, axis=-1), largest, axis=-1)
        for values in (x.soft_targets, logits)
    )
    # Stored in float16.
    np.testing.assert_allclose(found, expected, rtol=0.02)
    others = softmax(x.soft_targets, axis=-1)
    np.put_along_axis(others, largest, np.nan, axis=-1)
    share = (1 - expected.sum(-1, keepdims=True)) / (CLASSES - TOP)
    is_other = np.isfinite(others)
    np.testing.assert_allclose(
        others[is_other], np.broadcast_to(share, others.shape)[is_other], rtol=0.05
    )
    # Ten numbers of float16 and their places, an id and a hash; not a thousand.
    stored = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert stored < 150 * 200


@pytest.mark.slow
def test_file_of_14_mb_is_the_teacher_that_it_was_made_from(
    mobilenet_file, mobilenet_v2, images
):
    teacher = LiteRtTeacher(mobilenet_file("float32"), from_logits=True)
    x = images[0][:8]
    expected = mobilenet_v2.predict(x, verbose=0)
    np.testing.assert_allclose(teacher(x).logits, expected, atol=0.01)


@pytest.mark.slow
def test_preprocessing_of_keras_applications_leaves_the_photos_as_they_are(
    mobilenet_v2, images
):
    x = 255 * images[0][:16]
    before = x.copy()
    teacher = FrozenTeacher(
        mobilenet_v2,
        preprocessing=keras.applications.mobilenet_v2.preprocess_input,
    )
    pooled = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(CLASSES)]
    student = keras.Sequential([keras.Input((PIXELS, PIXELS, 3)), *pooled])
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile("adam")
    distiller.fit(x, images[1][:16], batch_size=8, verbose=0)
    np.testing.assert_array_equal(x, before)

"""Maps lie where a model looks, for every kind of model, and are the library's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.ndimage import zoom
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.scorecam import Scorecam
from tf_keras_vis.utils.scores import CategoricalScore

from keras_kd import explain
from tests.explain.models import SIZE, looking, noise, share_inside

METHODS = ["grad_cam++", "score_cam", "saliency"]
KINDS = {
    "logits, grey": {},
    "softmax, nested, colour": {
        "activation": "softmax",
        "nested": True,
        "channels": 3,
    },
    "several sigmoids": {"activation": "sigmoid"},
    "one sigmoid": {"activation": "sigmoid", "units": 1},
    "one logit": {"units": 1},
    "float16": {"dtype": "mixed_float16"},
    "bfloat16": {"dtype": "mixed_bfloat16", "nested": True},
}


@pytest.mark.quick_for(
    "logits, grey-saliency",
    "softmax, nested, colour-grad_cam++",
    "one sigmoid-score_cam",
)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_model_that_looks_at_a_quadrant_gets_its_map_there(method, kind):
    model = looking(**KINDS[kind])
    images = noise(channels=KINDS[kind].get("channels", 1))
    found = explain.maps(model, model, images, method=method)
    assert found.student.shape == (3, SIZE, SIZE)
    assert found.student.min() == 0
    assert found.student.max() == 1
    assert share_inside(found.student) == pytest.approx(1.0)
    # Student and teacher are one model here; both measures are at their best.
    agreement = explain.map_agreement(found)
    assert agreement.rank_correlation == pytest.approx(1.0)
    assert agreement.top_overlap.tolist() == [1.0] * 3


@pytest.mark.parametrize("method", METHODS)
def test_a_class_that_is_said_no_to_is_explained_by_what_speaks_for_no(method):
    model = looking(1, "sigmoid")
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([-kernel, bias])
    no = explain.maps(model, model, noise(), method=method, classes=[0, 0, 0])
    assert share_inside(no.teacher) == pytest.approx(1.0)


def plain(units=5):
    stack = [
        keras.Input((8, 8, 1)),
        layers.Conv2D(6, 3, activation="relu", name="conv"),
        layers.Flatten(),
        layers.Dense(units),
    ]
    return keras.Sequential(stack)


def of_the_library(model, images, method, seed):
    """What tf-keras-vis gives on its own, where none of its faults is met."""
    score = CategoricalScore(model.predict(images, verbose=0).argmax(1).tolist())
    if method == "saliency":
        np.random.seed(seed)
        return Saliency(model)(score, images, smooth_samples=25)
    if method == "score_cam":
        return Scorecam(model)(score, images, penultimate_layer="conv")
    return GradcamPlusPlus(model)(
        score, images, penultimate_layer="conv", gradient_modifier=tf.nn.relu
    )


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")  # tf-keras-vis's
@pytest.mark.parametrize("method", METHODS)
def test_maps_are_those_of_tf_keras_vis_also_in_a_nested_model(method):
    model, images = plain(), noise()[:, :8, :8]
    expected = of_the_library(model, images, method, seed=5)
    inner = keras.Sequential(model.layers[:-1], name="backbone")
    nested = keras.Sequential([keras.Input((8, 8, 1)), inner, model.layers[-1]])
    found = explain.maps(model, nested, images, method=method, seed=5)
    np.testing.assert_allclose(found.teacher, expected, atol=1e-3)
    np.testing.assert_allclose(found.student, expected, atol=1e-3)
    chosen = found.teacher_layer, found.student_layer
    is_cam = method != "saliency"
    assert chosen == (("conv", "backbone/conv") if is_cam else (None, None))


def grad_cam_plus_plus(a, slopes):
    """Chattopadhay et al., equations 10 and 19, one place after the other.

    Alphas of positive gradients are made to sum to 1.
    """
    h, w, channels = a.shape
    found = np.zeros((h, w))
    for k in range(channels):
        alphas, total = {}, a[..., k].sum()
        for i, j in np.ndindex(h, w):
            g = slopes[i, j, k]
            if g > 0:
                alphas[i, j] = g**2 / (2 * g**2 + total * g**3)
        size = sum(alphas.values())
        weight = sum(al / size * slopes[i, j, k] for (i, j), al in alphas.items())
        found += weight * a[..., k]
    return found / found.max()


def test_grad_cam_plus_plus_is_that_of_the_paper():
    model, images = plain(), noise()[:, :8, :8]
    features = keras.Model(model.inputs, model.get_layer("conv").output)
    a = features.predict(images, verbose=0).astype("float64")
    kernel = model.layers[-1].get_weights()[0][:, 2].astype("float64")
    slopes = kernel.reshape(6, 6, 6)  # the head is linear: the same for every image
    found = explain.maps(model, model, images, classes=[2, 2, 2])
    for n in range(3):
        expected = zoom(grad_cam_plus_plus(a[n], slopes), 8 / 6, order=1)
        expected = (expected - expected.min()) / (expected.max() - expected.min())
        np.testing.assert_allclose(found.student[n], expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grad_cam++", "saliency"])
def test_randomised_students_agree_by_chance(method):
    found = []
    for seed in range(8):
        keras.utils.set_random_seed(seed)
        convs = [layers.Conv2D(8, 3, padding="same", activation="relu") for _ in "ab"]
        stack = [*convs, layers.Flatten(), layers.Dense(4)]
        student = keras.Sequential([keras.Input((SIZE, SIZE, 1)), *stack])
        maps = explain.maps(looking(), student, noise(30), method=method)
        found.append(explain.map_agreement(maps))
    ranks = [agreement.mean_rank_correlation for agreement in found]
    tops = [agreement.mean_top_overlap for agreement in found]
    assert np.mean(ranks) == pytest.approx(0, abs=0.1)
    assert np.mean(tops) == pytest.approx(0.2 / 1.8, abs=0.04)


def test_layer_is_the_end_of_the_last_stage_with_kernels():
    """Also where that is a sum or a concatenation, and not where it has one pixel."""
    inputs = keras.Input((SIZE, SIZE, 1))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="first")(inputs)
    y = layers.Conv2D(3, 3, padding="same", name="second")(x)
    x = layers.BatchNormalization(name="joined")(layers.Concatenate()([x, y]))
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Flatten()(layers.Conv2D(8, 1, name="one_pixel")(x))
    model = keras.Model(inputs, layers.Dense(4)(x))
    assert explain.maps(model, model, noise(1)).teacher_layer == "joined"


def test_student_of_smaller_maps_is_resized_to_the_images():
    coarse = looking()
    x = layers.MaxPooling2D(2)(coarse.get_layer("end").output)
    x = layers.Conv2D(4, 1, kernel_initializer="ones", name="coarse")(x)
    scores = layers.Dense(4, kernel_initializer="ones")
    scores = scores(layers.GlobalAveragePooling2D()(x))
    student = keras.Model(coarse.input, scores)
    found = explain.maps(coarse, student, noise())
    assert found.student_layer == "coarse"
    features = keras.Model(student.input, x).predict(noise(), verbose=0)[..., 0]
    expected = zoom(features, (1, 2, 2), order=1)
    expected /= expected.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found.student, expected, atol=1e-5)


@pytest.mark.slow
def test_scores_of_thousands_do_not_make_nan():
    model = looking()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 1e4, bias])
    assert model.predict(noise(), verbose=0).max() > 1e4
    for method in METHODS:
        found = explain.maps(model, model, noise(), method=method).teacher
        assert share_inside(found) == pytest.approx(1.0)


@pytest.mark.slow
def test_same_seed_gives_the_same_maps_and_leaves_numpy_alone():
    model = plain()
    images = noise()[:, :8, :8]
    state = np.random.get_state()[1].copy()
    one, two, other = (
        explain.maps(model, model, images, method="saliency", seed=seed).teacher
        for seed in (3, 3, 4)
    )
    assert (one == two).all()
    assert (one != other).any()
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.slow
def test_models_are_not_changed(capfd):
    model = looking(activation="softmax")
    model.trainable = False
    weights = [weight.copy() for weight in model.get_weights()]
    before = [set(vars(layer)) for layer in model.layers]
    for method in METHODS:
        explain.maps(model, model, noise(), method=method)
    assert not model.trainable
    assert before == [set(vars(layer)) for layer in model.layers]
    for weight, now in zip(weights, model.get_weights(), strict=True):
        assert (weight == now).all()
    assert capfd.readouterr().out == ""


def test_model_without_a_spatial_layer_gets_saliency_and_a_note():
    mask = keras.Input((SIZE, SIZE, 1))
    dense = layers.Dense(4)(layers.Flatten()(mask))
    student = keras.Model(mask, dense)
    kernel = np.zeros((SIZE, SIZE, 4))
    kernel[:6, 6:] = np.random.default_rng(0).normal(size=(6, 6, 4))
    student.layers[-1].set_weights([kernel.reshape(-1, 4), np.zeros(4)])
    found = explain.maps(looking(), student, noise())
    assert found.method == "saliency"
    assert "in the student" in found.note
    assert found.student_layer is found.teacher_layer is None
    assert share_inside(found.student) == pytest.approx(1.0)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = looking()

    def call(self, inputs, training=None):
        return self.inner(inputs, training=training)


def test_subclassed_teacher_of_larger_images():
    small, blow_up = noise()[:, ::2, ::2], layers.UpSampling2D(2)
    teacher = Subclassed()
    stack = [keras.Input((6, 6, 1)), layers.Conv2D(2, 3, name="own")]
    student = keras.Sequential([*stack, layers.Flatten(), layers.Dense(4)])
    found = explain.maps(teacher, student, small, teacher_preprocessing=blow_up)
    assert found.student_layer == "own"
    assert found.teacher_layer.endswith("end")
    assert found.teacher.shape == found.student.shape == (3, 6, 6)
    # The quadrant, and half a pixel more where its edge is between two.
    assert found.teacher[:, :3, 3:].max(axis=(1, 2)).tolist() == [1, 1, 1]
    assert found.teacher[:, 4:].max() == found.teacher[:, :, :2].max() == 0


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_preprocessing_that_works_in_place_gives_the_maps_of_one_that_does_not(method):
    model, images = looking(), noise()
    before = images.copy()

    def in_place(x):
        x *= 0.5
        return x

    found, expected = (
        explain.maps(
            model, model, images, method=method, teacher_preprocessing=preprocessing
        )
        for preprocessing in (in_place, lambda x: x * 0.5)
    )
    np.testing.assert_allclose(found.teacher, expected.teacher, atol=1e-6)
    np.testing.assert_allclose(found.student, expected.student, atol=1e-6)
    np.testing.assert_array_equal(images, before)

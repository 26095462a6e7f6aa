"""MobileNetV2 and a text transformer made smaller."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.students import inverted_residual_net, shrink
from tests.real_size import CLASSES, PIXELS, text_net, texts


def nearest(channels, width):
    """The multiples of 8 that are nearest, two where both are as near."""
    multiples = np.arange(8, channels + 1, 8)
    distance = np.abs(multiples - width * channels)
    return multiples[distance == distance.min()].tolist()


@pytest.mark.slow
def test_every_layer_of_half_a_mobilenet_has_half_the_channels(mobilenet_v2):
    student = shrink(mobilenet_v2, width=0.5)
    assert student.output_shape == (None, CLASSES)
    for layer in mobilenet_v2.layers[1:-1]:
        channels = layer.output.shape[-1]
        scaled = student.get_layer(layer.name).output.shape[-1]
        assert scaled in nearest(channels, 0.5), layer.name
    # Kernels shrink by the square, the head of 1,000 classes by the width.
    assert 0.25 < student.count_params() / mobilenet_v2.count_params() < 0.4


@pytest.mark.slow
def test_whole_width_with_the_weights_of_the_teacher_is_the_teacher(
    mobilenet_v2, images
):
    student = shrink(mobilenet_v2, width=1.0, init="teacher")
    np.testing.assert_allclose(
        *(model.predict(images[0][:8], verbose=0) for model in (student, mobilenet_v2)),
        atol=1e-4,
    )


@pytest.mark.slow
def test_half_the_depth_leaves_half_the_blocks_that_repeat(mobilenet_v2, images):
    student = shrink(mobilenet_v2, width=0.5, depth=0.5)
    stages = [1, 2, 3, 2, 2]  # blocks with a sum, of the stages that have any
    sums = [layer for layer in student.layers if isinstance(layer, layers.Add)]
    assert len(sums) == sum(-(-blocks // 2) for blocks in stages)
    assert np.isfinite(student.predict(images[0][:4], verbose=0)).all()


@pytest.mark.slow
def test_channels_are_chosen_by_what_photos_send_through_them(mobilenet_v2, images):
    student = shrink(mobilenet_v2, width=0.5, init="teacher", data=images[0][:16])
    layer = "Conv1"
    theirs, ours = (
        model.get_layer(layer).kernel.numpy().reshape(27, -1)
        for model in (mobilenet_v2, student)
    )
    for kernel in ours.T:
        assert (kernel == theirs.T).all(-1).sum() == 1
    assert np.isfinite(student.predict(images[0][:4], verbose=0)).all()


@pytest.mark.slow
def test_mobilenet_inside_another_model_is_shrunk_too(mobilenet_v2):
    inputs = keras.Input((PIXELS, PIXELS, 3))
    x = layers.Rescaling(2.0, offset=-1.0)(inputs)
    whole = keras.Model(inputs, layers.Softmax()(mobilenet_v2(x)))
    inside = shrink(whole, width=0.5).get_layer(mobilenet_v2.name)
    alone = shrink(mobilenet_v2, width=0.5)
    assert inside.count_params() == alone.count_params()


def test_text_net_of_512_tokens_is_shrunk():
    teacher = text_net(64)
    student = shrink(teacher, width=0.25)
    assert student.get_layer("embedding").output.shape == (None, 512, 16)
    assert np.isfinite(student.predict(texts(4)[0], verbose=0)).all()


@pytest.mark.slow
def test_catalogue_net_takes_224_pixels_and_1000_classes():
    model = inverted_residual_net((224, 224, 3), CLASSES, width=1.0)
    x = np.random.default_rng(0).uniform(size=(2, 224, 224, 3)).astype("float32")
    logits = model.predict(x, verbose=0)
    assert logits.shape == (2, CLASSES)
    assert np.isfinite(logits).all()

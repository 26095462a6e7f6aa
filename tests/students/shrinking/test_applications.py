"""The families of `keras.applications`, at small inputs and without downloads."""

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd.losses import suggest_layers
from keras_kd.students import shrink

FAMILIES = {
    "VGG16": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "DenseNet121": 32,
    "Xception": 71,
    "ConvNeXtTiny": 32,
    "NASNetMobile": 32,
}
WITHOUT_RESIDUAL_BLOCKS = {"VGG16", "MobileNet", "DenseNet121", "NASNetMobile"}
WIDTHS = (0.25, 0.5, 0.75)


def build(family):
    size = FAMILIES[family]
    make = getattr(keras.applications, family)
    return make(weights=None, input_shape=(size, size, 3), classes=10)


def images(model, count=2):
    random = np.random.default_rng(0)
    return random.uniform(0, 255, (count, *model.input_shape[1:])).astype("float32")


def check_runs_and_trains(teacher, student):
    """One step through `Distiller`; the student's weights move and stay finite."""
    x = images(teacher)
    before = np.array(student.trainable_weights[0])
    distiller = keras_kd.Distiller(teacher, student)
    distiller.compile(optimizer="adam")
    history = distiller.fit(x, np.array([1, 2]), batch_size=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.abs(np.array(student.trainable_weights[0]) - before).max() > 0
    assert student(x).shape == (2, 10)


def check_size(teacher, student, width):
    """Parameters follow width²: at least, and more by those that follow width alone.

    Kernels at the input and the output, depthwise ones, biases and normalizations have
    one axis that scales. So do kernels where rounding keeps an axis as it is.
    """
    alone = one_axis_parameters(teacher)
    ratio = student.count_params() / teacher.count_params()
    assert ratio > 0.9 * width**2
    assert ratio < width**2 + alone / teacher.count_params() * (width - width**2) + 0.05


def one_axis_parameters(model):
    count = 0
    for weight in model.weights:
        wide = [size for size in weight.shape if size > 10]
        count += np.prod(weight.shape) if len(wide) < 2 else 0
    return count


def check_converts(student, folder, precisions=("float32", "int8")):
    x = images(student, 8)
    for precision in precisions:
        path = folder / f"{precision}.tflite"
        manifest = keras_kd.export.convert(
            student, path, precision=precision, calibration_data=x
        )
        assert manifest.output.shape == (1, 10)
        if precision == "float32":
            report = keras_kd.export.verify(path, student, (x, np.arange(8)))
            assert report.max_abs_error < 1e-3


@pytest.mark.slow
def test_vgg_shrinks_trains_converts_and_pairs(tmp_path):
    teacher = build("VGG16")
    for width in WIDTHS:
        check_size(teacher, shrink(teacher, width=width), width)
    student = shrink(teacher, width=0.25, init="teacher")
    check_runs_and_trains(teacher, student)
    check_converts(student, tmp_path, ["int8"])
    pairs = suggest_layers(teacher, student)
    assert pairs
    assert all(pair.teacher_layer == pair.student_layer for pair in pairs)


@pytest.mark.release
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("family", FAMILIES)
def test_family_shrinks_trains_and_pairs(family, width):
    teacher = build(family)
    student = shrink(teacher, width=width, init="teacher")
    check_size(teacher, student, width)
    pairs = suggest_layers(teacher, student)
    assert all(pair.teacher_layer == pair.student_layer for pair in pairs)
    check_runs_and_trains(teacher, student)


@pytest.mark.release
@pytest.mark.parametrize("family", FAMILIES)
def test_family_converts(family, tmp_path):
    """At one width: others have the same layers."""
    check_converts(shrink(build(family), width=0.25), tmp_path)


@pytest.mark.release
@pytest.mark.parametrize("family", FAMILIES)
def test_family_at_width_one_equals_its_teacher(family):
    teacher = build(family)
    random = np.random.default_rng(1)
    for layer in teacher.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for weight in layer.weights:
                weight.assign(random.uniform(0.5, 1.5, weight.shape))
    x = images(teacher)
    student = shrink(teacher, width=1.0, init="teacher")
    np.testing.assert_array_equal(student(x), teacher(x))


@pytest.mark.release
@pytest.mark.parametrize("family", sorted(set(FAMILIES) - WITHOUT_RESIDUAL_BLOCKS))
def test_family_has_fewer_blocks(family):
    teacher = build(family)
    student = shrink(teacher, width=0.5, depth=0.5)
    assert len(student.layers) < len(teacher.layers)
    assert {x.name for x in student.layers} < {x.name for x in teacher.layers}
    check_runs_and_trains(teacher, student)

"""What all losses on other soft targets share: extremes, dtypes, configs, graphs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.logits.curriculum_temperature import (
    CurriculumTemperatureDistillation,
)
from keras_kd.losses.logits.dynamic_temperature import DynamicTemperatureDistillation
from keras_kd.losses.logits.pixel import PixelDistillation
from keras_kd.losses.logits.scale_decoupled import ScaleDecoupledDistillation
from keras_kd.losses.logits.sparse_target import SparseTargetDistillation
from keras_kd.losses.logits.spectral import SpectralDistillation
from keras_kd.losses.logits.token import TokenDistillation
from keras_kd.losses.logits.transformed_teacher import TransformedTeacherDistillation
from keras_kd.outputs import ModelOutputs

GENERATOR = np.random.default_rng(3)
LABELS = {1: [2, 0, 5, 1], 2: [[2, 1], [0, -100], [5, 5], [-100, -100]]}
LABELS[3] = [[[2], [255]], [[0], [1]], [[5], [4]], [[255], [255]]]
MAPS = {"teacher_layers": "map", "student_layers": "map"}
LOSSES = {
    "ttm": (TransformedTeacherDistillation, {}, (4, 6)),
    "wttm": (TransformedTeacherDistillation, {"weighted": True}, (4, 6)),
    "ctkd": (CurriculumTemperatureDistillation, {"steps_per_epoch": 10}, (4, 6)),
    "ctkd_linear": (
        CurriculumTemperatureDistillation,
        {"steps_per_epoch": 10, "ramp": "linear", "decoupled": [1.0, 2.0]},
        (4, 6),
    ),
    "dtkd": (DynamicTemperatureDistillation, {"steps_per_epoch": 10}, (4, 6)),
    "skd": (SpectralDistillation, {"tikhonov": 0.2}, (4, 6)),
    "sparse_uniform": (SparseTargetDistillation, {"k": 3}, (4, 6)),
    "sparse_bucket": (SparseTargetDistillation, {"k": 5, "missing": "bucket"}, (4, 6)),
    "sparse_renormalise": (
        SparseTargetDistillation,
        {"k": 2, "missing": "renormalise", "temperature": 2.0},
        (4, 6),
    ),
    "token": (TokenDistillation, {"padding_label": 0}, (4, 2, 6)),
    "pixel": (PixelDistillation, {}, (4, 2, 1, 6)),
    "pixel_ignored": (PixelDistillation, {"ignored_label": 255}, (4, 2, 1, 6)),
    "sdd": (ScaleDecoupledDistillation, MAPS, (4, 6, 6, 6)),
    "sdd_dkd": (
        ScaleDecoupledDistillation,
        MAPS | {"decoupled": [1.0, 8.0]},
        (4, 4, 4, 6),
    ),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


def _value(loss, teacher, student, batch_size=4):
    uses_maps = isinstance(loss, ScaleDecoupledDistillation)
    labels = LABELS[1 if uses_maps else len(student.shape) - 1][:batch_size]
    outputs = [ModelOutputs(x, {"map": x}) for x in (teacher, student)]
    return loss(*outputs, tf.constant(labels), training=True)


def _logits(name, scale=3.0):
    shape = LOSSES[name][2]
    return tf.constant(GENERATOR.normal(0, scale, shape).astype("float32"))


def _make(name):
    make, options, _ = LOSSES[name]
    return make(**options)


@each_loss
@pytest.mark.parametrize(
    ("teacher_scale", "student_scale"), [(0, 0), (1e3, 1e3), (0, 1e3), (1e3, 0), (3, 3)]
)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_value_and_gradient_are_finite(name, teacher_scale, student_scale, batch_size):
    loss = _make(name)
    teacher = _logits(name, teacher_scale)[:batch_size]
    student = _logits(name, student_scale)[:batch_size]
    with tf.GradientTape() as tape:
        tape.watch([teacher, student])
        value = _value(loss, teacher, student, batch_size)
        total = tf.reduce_sum(value)
    sources = [student, *loss.trainable_variables]
    gradients = tape.gradient(total, [*sources, teacher])
    assert value.shape in ((batch_size,), ())
    assert np.isfinite(total)
    assert all(np.isfinite(gradient).all() for gradient in gradients[:-1])
    assert gradients[-1] is None


@each_loss
def test_value_and_gradient_are_finite_at_equal_logits(name):
    student = teacher = _logits(name)
    with tf.GradientTape() as tape:
        tape.watch(student)
        value = tf.reduce_sum(_value(_make(name), tf.identity(teacher), student))
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, student)).all()


@each_loss
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(name, dtype):
    teacher = tf.cast(_logits(name), dtype)
    student = tf.cast(_logits(name), dtype)
    half = _value(_make(name), teacher, student)
    full = _value(_make(name), tf.cast(teacher, "float32"), tf.cast(student, "float32"))
    assert half.dtype == "float32"
    np.testing.assert_allclose(half, full, rtol=1e-6)


@each_loss
def test_config_round_trips(name):
    loss = _make(name)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()
    config = loss.get_config()
    assert all(config[key] == value for key, value in _without_paths(name).items())


def _without_paths(name):
    return {k: v for k, v in LOSSES[name][1].items() if not k.endswith("_layers")}


@each_loss
@pytest.mark.parametrize("jit_compile", [False, True])
def test_graph_of_open_batch_size_gives_the_eager_value(name, jit_compile):
    loss = _make(name)
    teacher, student = _logits(name), _logits(name)
    eager = _value(loss, teacher, student)
    spec = tf.TensorSpec((None, *student.shape[1:]))

    @tf.function(input_signature=[spec, spec], jit_compile=jit_compile)
    def traced(teacher, student):
        return _value(loss, teacher, student)

    np.testing.assert_allclose(traced(teacher, student), eager, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in LOSSES if name[:3] != "sdd"])
def test_different_classes_are_an_error(name):
    student = _logits(name)
    with pytest.raises(ValueError, match=r"student's logits to be .* like the teach"):
        _value(_make(name), student[..., :-1], student)

"""A .tflite file answers like the Keras model it was made from."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd
from keras_kd.export import LiteRtModel
from keras_kd.teachers import Ensemble, LiteRtTeacher
from tests.teachers.test_foreign import assert_teaches_like


def write_tflite(model, path, *, batch=None, calibration=None, dtype=tf.int8):
    """Converted by TensorFlow itself; to integers if there is calibration data."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda x: model(x, training=False),
        input_signature=[keras.InputSpec("float32", (batch, *model.input_shape[1:]))],
    )
    folder = path.with_suffix("")
    archive.write_out(folder, verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x[None]] for x in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = dtype
        converter.inference_output_type = dtype
    path.write_bytes(converter.convert())
    return path


@pytest.mark.slow
@pytest.mark.parametrize("batch", [None, 1, 3], ids="batch_{}".format)
def test_files_of_any_batch_size_answer_every_batch(
    make_model, arrays, tmp_path, batch
):
    model = make_model(8)
    teacher = LiteRtTeacher(
        write_tflite(model, tmp_path / "t.tflite", batch=batch), from_logits=True
    )
    assert teacher.num_classes == 10
    for size in (1, 7, 3):
        x = arrays[0][:size]
        np.testing.assert_allclose(teacher(x).logits, model(x), rtol=1e-4, atol=1e-5)
    assert tuple(teacher(arrays[0][:0]).logits.shape) == (0, 10)


def test_a_file_teaches_like_its_keras_model(teacher, student, arrays, tmp_path):
    path = write_tflite(teacher, tmp_path / "t.tflite")
    assert_teaches_like(LiteRtTeacher(path, from_logits=True), teacher, student, arrays)


def test_integer_files_are_fed_and_read_in_floats(teacher, arrays, tmp_path):
    x = arrays[0][:20]
    path = write_tflite(teacher, tmp_path / "t.tflite", batch=1, calibration=x)
    answer = LiteRtTeacher(path, from_logits=True)(x).logits
    np.testing.assert_array_equal(answer, LiteRtModel(path)(x))
    step = LiteRtModel(path).output["quantization"][0]
    assert np.abs(answer - teacher(x)).mean() < 3 * step


@pytest.mark.slow
def test_fingerprint_is_that_of_the_file(make_model, tmp_path):
    one = write_tflite(make_model(8), tmp_path / "one.tflite")
    other = write_tflite(make_model(8), tmp_path / "other.tflite")
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(one.read_bytes())
    prints = [
        LiteRtTeacher(p, from_logits=True).fingerprint for p in (one, copy, other)
    ]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.slow
def test_files_are_members_of_an_ensemble(
    teacher, make_model, student, arrays, tmp_path
):
    other = make_model(8)
    path = write_tflite(other, tmp_path / "t.tflite")
    ensemble = Ensemble([teacher, LiteRtTeacher(path, from_logits=True)])
    assert not ensemble.compilable
    assert_teaches_like(ensemble, Ensemble([teacher, other]), student, arrays)


def test_what_is_no_such_file_is_an_error(tmp_path):
    (tmp_path / "t.tflite").write_bytes(b"no model")
    for name in ("t.tflite", "missing.tflite"):
        with pytest.raises(ValueError, match=r"LiteRtTeacher: expected a \.tflite fi"):
            LiteRtTeacher(tmp_path / name, from_logits=True)


def test_a_file_for_other_inputs_is_an_error(make_model, student, tmp_path):
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(10)])
    path = write_tflite(small, tmp_path / "t.tflite", batch=1)
    with pytest.raises(ValueError, match=r"a teacher built for \[\(None, 4\)\]"):
        keras_kd.Distiller(LiteRtTeacher(path, from_logits=True), student)
    teacher = LiteRtTeacher(path, from_logits=True, preprocessing=lambda x: x[:, 0])
    with pytest.raises(ValueError, match=r"batches of shape \(None, 4\), got \(2, 8\)"):
        teacher(np.zeros((2, 3, 8), "float32"))

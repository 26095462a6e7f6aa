"""The expected calibration error equals its definition, over any batches."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import expit, softmax

import keras_kd
from keras_kd.callbacks import ExpectedCalibrationError

NAME = "expected_calibration_error"


def calibration_error(confidence, is_right, weights=None, bins=15):
    """Guo et al., equations 2, 3 and 5, one bin after the other."""
    weights = np.ones(len(confidence)) if weights is None else weights
    error = 0.0
    for m in range(bins):
        inside = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        w = weights[inside]
        if w.sum():
            accuracy = (w * is_right[inside]).sum() / w.sum()
            mean_confidence = (w * confidence[inside]).sum() / w.sum()
            error += w.sum() / weights.sum() * abs(accuracy - mean_confidence)
    return error


def of_rows(logits, y, **kwargs):
    p = softmax(logits.astype("float64"), -1).reshape(-1, logits.shape[-1])
    return calibration_error(p.max(-1), p.argmax(-1) == y.ravel(), **kwargs)


def of_decisions(logits, y):
    p, truth = expit(logits.astype("float64")).ravel(), y.ravel() > 0.5
    return calibration_error(np.maximum(p, 1 - p), (p > 0.5) == truth)


def measured(y, *batches, **kwargs):
    metric = ExpectedCalibrationError(**kwargs)
    start = 0
    for batch in batches:
        metric.update_state(y[start : start + len(batch)], batch)
        start += len(batch)
    return float(metric.result())


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (500, 6)).astype("float32")
    return logits, generator.integers(0, 6, 500)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_error_equals_its_definition(rows, bins):
    logits, y = rows
    found = measured(y, logits, from_logits=True, num_bins=bins)
    assert found == pytest.approx(of_rows(logits, y, bins=bins), rel=1e-5)


def test_batches_and_the_form_of_labels_make_no_difference(rows):
    logits, y = rows
    expected = of_rows(logits, y)
    one_hot, column = np.eye(6)[y], y[:, None]
    for labels in (y, one_hot, column, y.astype("float32")):
        parts = logits[:7], logits[7:300], logits[300:]
        found = measured(labels, *parts, from_logits=True)
        assert found == pytest.approx(expected, rel=1e-5)


def test_probabilities_give_the_same_as_their_logits(rows):
    logits, y = rows
    p = softmax(logits, -1)
    expected = of_rows(logits, y)
    assert measured(y, p, from_logits=False) == pytest.approx(expected, rel=1e-5)


def test_confidence_on_an_edge_belongs_to_the_bin_below():
    # In eighths, which are exact: 0.5 belongs to the bin of 0.375, where the two errors
    # cancel out in part; in a bin of its own each would count in full.
    p = np.array([[0.5, 0.25, 0.25], [0.375, 0.3125, 0.3125]], "float32")
    found = measured(np.array([0, 1]), p, from_logits=False, num_bins=2)
    assert found == pytest.approx(abs(1 - 0.5 + 0 - 0.375) / 2)


@pytest.mark.parametrize("labels", [(400,), (400, 1)])
def test_one_unit_has_the_confidence_of_yes_or_no(labels):
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, (400, 1)).astype("float32")
    y = generator.integers(0, 2, labels)
    expected = of_decisions(logits, y)
    assert measured(y, logits, from_logits=True) == pytest.approx(expected, rel=1e-5)
    p = expit(logits)
    assert measured(y, p, from_logits=False) == pytest.approx(expected, rel=1e-5)


def test_labels_that_do_not_exclude_each_other_are_decided_one_by_one():
    generator = np.random.default_rng(2)
    logits = generator.normal(0, 2, (100, 5)).astype("float32")
    y = generator.integers(0, 2, (100, 5))
    found = measured(y, logits, from_logits=True, multi_label=True)
    assert found == pytest.approx(of_decisions(logits, y), rel=1e-5)


def test_ignored_pixels_do_not_count():
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 2, (4, 5, 5, 3)).astype("float32")
    y = generator.integers(0, 3, (4, 5, 5))
    y[generator.uniform(size=y.shape) < 0.4] = 255
    expected = of_rows(logits[y != 255], y[y != 255])
    found = measured(y, logits, from_logits=True, ignore_class=255)
    assert found == pytest.approx(expected, rel=1e-5)


def test_weights_count_examples_and_positions():
    generator = np.random.default_rng(4)
    logits = generator.normal(0, 2, (30, 4, 3)).astype("float32")
    y = generator.integers(0, 3, (30, 4))
    each = generator.uniform(size=30)
    for weights, wide in (
        (each, np.repeat(each, 4)),
        (each[:, None], np.repeat(each, 4)),
        (generator.uniform(size=(30, 4)), None),
    ):
        wide = weights.ravel() if wide is None else wide
        metric = ExpectedCalibrationError(from_logits=True)
        metric.update_state(y, logits, weights)
        expected = of_rows(logits, y, weights=wide)
        assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_padding_is_left_out():
    stack = [layers.Embedding(9, 4, mask_zero=True), layers.Dense(3)]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *stack])
    generator = np.random.default_rng(5)
    tokens, y = generator.integers(0, 9, (20, 6)), generator.integers(0, 3, (20, 6))
    metric = ExpectedCalibrationError(from_logits=True, name="ece")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=[metric])
    found = model.evaluate(tokens, y, verbose=0, return_dict=True, batch_size=7)["ece"]
    logits = model.predict(tokens, verbose=0)
    expected = of_rows(logits[tokens != 0], y[tokens != 0])
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "jit_compile"), [(None, True), ("softmax", False)]
)
def test_distiller_logs_it(teacher, make_model, arrays, activation, jit_compile):
    x, y = arrays
    student = make_model(6, activation)
    distiller = keras_kd.Distiller(teacher, student)
    metric = ExpectedCalibrationError(from_logits=activation is None)
    distiller.compile("adam", metrics=[metric], jit_compile=jit_compile)
    history = distiller.fit(x, y, validation_data=(x, y), epochs=2, verbose=0).history
    outputs = student.predict(x, verbose=0)
    logits = outputs if activation is None else np.log(outputs)
    expected = of_rows(logits, y)
    assert history[f"val_{NAME}"][-1] == pytest.approx(expected, rel=1e-4)
    assert 0 < history[NAME][0] < 1


@pytest.mark.slow
def test_two_replicas_count_as_one(teacher, make_model, arrays, two_replicas):
    x, y = arrays
    with two_replicas.scope():
        student = make_model(6)
        distiller = keras_kd.Distiller(teacher, student)
        metric = ExpectedCalibrationError(from_logits=True)
        distiller.compile("adam", metrics=[metric])
    history = distiller.fit(x, y, validation_data=(x, y), verbose=0).history
    expected = of_rows(student.predict(x, verbose=0), y)
    assert history[f"val_{NAME}"][-1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_callbacks_of_keras_know_that_less_is_better(teacher, student, arrays):
    distiller = keras_kd.Distiller(teacher, student)
    metric = ExpectedCalibrationError(from_logits=True)
    distiller.compile("sgd", metrics=[metric])
    stop = keras.callbacks.EarlyStopping(f"val_{NAME}")
    distiller.fit(*arrays, validation_data=arrays, callbacks=[stop], verbose=0)
    assert stop.monitor_op(0.1, 0.2)
    assert not stop.monitor_op(0.2, 0.1)


def test_nan_is_not_hidden(rows):
    logits, y = rows
    logits[3] = np.nan
    assert np.isnan(measured(y, logits, from_logits=True))


def test_reset_forgets(rows):
    logits, y = rows
    metric = ExpectedCalibrationError(from_logits=True)
    metric.update_state(y, logits)
    metric.reset_state()
    assert float(metric.result()) == 0.0


@pytest.mark.slow
def test_distiller_with_it_is_loaded_in_a_new_process(
    teacher, student, arrays, tmp_path
):
    distiller = keras_kd.Distiller(teacher, student)
    metric = ExpectedCalibrationError(from_logits=True, num_bins=7, name="ece")
    distiller.compile("adam", metrics=[metric])
    distiller.fit(*arrays, verbose=0)
    expected = distiller.evaluate(*arrays, verbose=0, return_dict=True)["ece"]
    distiller.save(tmp_path / "distiller.keras")
    np.savez(tmp_path / "data.npz", x=arrays[0], y=arrays[1])
    program = (
        "import sys, keras, numpy, keras_kd\n"
        "distiller = keras.models.load_model(sys.argv[1])\n"
        "data = numpy.load(sys.argv[2])\n"
        "logs = distiller.evaluate(data['x'], data['y'], verbose=0, return_dict=True)\n"
        "print(float(logs['ece']))"
    )
    files = [str(tmp_path / name) for name in ("distiller.keras", "data.npz")]
    result = subprocess.run(
        [sys.executable, "-c", program, *files],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(result.stdout.split()[-1]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("bins", [0, 1.5, True])
def test_bins_must_be_whole(bins):
    with pytest.raises(ValueError, match="`num_bins` to be an integer"):
        ExpectedCalibrationError(from_logits=True, num_bins=bins)

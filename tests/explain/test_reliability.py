"""The reliability diagram equals its definition and the metric of the library."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from keras_kd import explain
from keras_kd.callbacks import ExpectedCalibrationError


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    return generator.normal(0, 2, (500, 6)), generator.integers(0, 6, 500)


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_bins_and_error_equal_a_loop(rows, bins):
    logits, labels = rows
    found = explain.reliability(logits, labels, bins=bins)
    p = softmax(logits, axis=1)
    error = 0.0
    for m in range(bins):
        lower, upper = found.edges[m : m + 2]
        inside = [n for n in range(500) if lower < p[n].max() <= upper]
        assert found.count[m] == len(inside)
        if not inside:
            assert np.isnan(found.confidence[m])
            assert np.isnan(found.accuracy[m])
            continue
        confidence = sum(p[n].max() for n in inside) / len(inside)
        accuracy = sum(p[n].argmax() == labels[n] for n in inside) / len(inside)
        assert found.confidence[m] == pytest.approx(confidence, rel=1e-6)
        assert found.accuracy[m] == pytest.approx(accuracy)
        error += len(inside) / 500 * abs(confidence - accuracy)
    assert found.ece == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("units", [1, 6])
def test_error_is_that_of_the_metric(rows, units):
    logits, labels = rows[0][:, :units], rows[1] % max(2, units)
    metric = ExpectedCalibrationError(from_logits=True)
    metric.update_state(labels, logits)
    found = explain.reliability(logits, labels)
    assert found.ece == pytest.approx(float(metric.result()), rel=1e-5)
    probabilities = expit(logits) if units == 1 else softmax(logits, axis=1)
    again = explain.reliability(probabilities.astype("float32"), labels)
    assert again.ece == pytest.approx(found.ece, rel=1e-5)


def test_kind_of_scores_can_be_said():
    alike = np.array([[0.25, 0.75]])
    assert explain.reliability(alike, [1]).confidence[-4] == pytest.approx(0.75)
    found = explain.reliability(alike, [1], from_logits=True)
    expected = softmax(alike).max()
    assert found.confidence[int(expected * 15)] == pytest.approx(expected)
    with pytest.raises(ValueError, match="because of from_logits=False"):
        explain.reliability([[3.0, 1.0]], [0], from_logits=False)


@pytest.mark.parametrize("bins", [0, 1.5, True])
def test_bins_must_be_whole(rows, bins):
    with pytest.raises(ValueError, match="`bins` to be an integer"):
        explain.reliability(*rows, bins=bins)

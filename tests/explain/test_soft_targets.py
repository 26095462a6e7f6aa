"""What soft targets say equals a loop over the examples."""

import numpy as np
import pytest
from scipy.stats import entropy

from keras_kd import explain


def softened(row, temperature):
    values = [np.exp(z / temperature) for z in row]
    return [value / sum(values) for value in values]


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 50)  # of five classes; the last has no example
    return generator.normal(0, 3, (50, 5)), labels


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_similarity_is_the_mean_soft_target_of_each_class(data, temperature):
    logits, labels = data
    found = explain.class_similarity(logits, labels, temperature=temperature)
    for label in range(4):
        own = [softened(z, temperature) for z in logits[labels == label]]
        np.testing.assert_allclose(found[label], np.mean(own, axis=0))
    assert np.isnan(found[4]).all()
    one_hot = np.eye(5)[labels]
    again = explain.class_similarity(logits, one_hot, temperature=temperature)
    np.testing.assert_array_equal(found, again)


def test_entropy_equals_scipy_in_nats_and_bits(data):
    logits, _ = data
    temperatures = [0.5, 1, 8.0]
    found = explain.soft_target_entropy(logits, temperatures)
    for row, temperature in enumerate(temperatures):
        targets = np.array([softened(z, temperature) for z in logits])
        np.testing.assert_allclose(found.entropy_nats[row], entropy(targets, axis=1))
        bits = entropy(targets, base=2, axis=1)
        np.testing.assert_allclose(found.entropy_bits[row], bits)
        assert found.mean_nats[row] == pytest.approx(entropy(targets, axis=1).mean())
        assert found.mean_bits[row] == pytest.approx(bits.mean())
    assert found.largest_nats == pytest.approx(entropy([1 / 5] * 5))


def test_large_logits_have_no_entropy_and_are_not_nan():
    found = explain.soft_target_entropy([[5e4, 0.0, -5e4]], [1.0])
    assert found.entropy_nats.tolist() == [[0.0]]


def test_most_informative_are_those_of_the_largest_entropy_off_the_class(data):
    logits, labels = data
    found = explain.most_informative(logits, labels, temperature=4.0, count=7)
    sizes = []
    for z, label in zip(logits, labels, strict=True):
        p = softened(z, 4.0)
        sizes.append(-sum(p[i] * np.log(p[i]) for i in range(5) if i != label))
    assert found.tolist() == sorted(range(50), key=lambda n: -sizes[n])[:7]
    everything = explain.most_informative(logits, labels, temperature=4.0, count=99)
    assert sorted(everything) == list(range(50))


def test_one_unit_counts_as_two_classes():
    found = explain.class_similarity([[2.0], [-1.0]], [1, 0], temperature=2.0)
    yes = 1 / (1 + np.exp([0.5, -1.0]))
    np.testing.assert_allclose(found[:, 1], yes)


@pytest.mark.parametrize(
    ("logits", "labels", "temperature", "message"),
    [
        ([[1.0, np.inf]], [0], 1.0, "finite `logits`"),
        ([1.0, 2.0], [0], 1.0, r"shape \(n, num_classes\), got float64 of shape \(2,"),
        ([[1.0, 2.0]], [2], 1.0, "one of the 2 classes .* with 2"),
        ([[1.0, 2.0]], [0.5], 1.0, "one of the 2 classes .* with 0.5"),
        ([[1.0, 2.0]], [0, 1], 1.0, "for each of 1 examples"),
        ([[1.0, 2.0]], [0], 0.0, "`temperature` to be a number above 0"),
    ],
)
def test_unusable_arguments_are_named(logits, labels, temperature, message):
    with pytest.raises(ValueError, match=message):
        explain.class_similarity(logits, labels, temperature=temperature)
    with pytest.raises(ValueError, match=message):
        explain.most_informative(logits, labels, temperature=temperature, count=1)


def test_temperatures_and_count_are_checked():
    with pytest.raises(ValueError, match="at least one temperature"):
        explain.soft_target_entropy([[1.0, 2.0]], [])
    with pytest.raises(ValueError, match="`temperatures` to be a number above 0"):
        explain.soft_target_entropy([[1.0, 2.0]], [1.0, -1.0])
    with pytest.raises(ValueError, match="`count` to be an integer"):
        explain.most_informative([[1.0, 2.0]], [0], temperature=1.0, count=0)

"""Soft labels rebuilt from stored probabilities."""

import numpy as np
import pytest

from keras_kd.losses.logits import stored_target

IDS = np.array([[3, 0], [1, 4]])
PROBABILITIES = np.array([[0.5, 0.2], [0.6, 0.4]], "float32")


def test_scatter_puts_values_at_their_classes_for_any_leading_shape():
    ids = np.array([[[1, 0], [2, 3]]])
    dense = stored_target.scatter_classes(ids + 10.0, ids, 4)
    np.testing.assert_array_equal(dense, [[[10, 11, 0, 0], [0, 0, 12, 13]]])


def test_uniform_tail_shares_the_rest_evenly():
    target = stored_target.uniform_tail_target(PROBABILITIES, IDS, num_classes=5)
    expected = [[0.2, 0.1, 0.1, 0.5, 0.1], [0, 0.6, 0, 0, 0.4]]
    np.testing.assert_allclose(target, expected, atol=1e-6)


def test_uniform_tail_is_never_negative():
    target = stored_target.uniform_tail_target([[0.7, 0.4]], [[0, 1]], num_classes=5)
    np.testing.assert_allclose(target, [[0.7, 0.4, 0, 0, 0]], atol=1e-6)


def test_renormalised_sums_to_one():
    target = stored_target.renormalised_target(PROBABILITIES, IDS, num_classes=5)
    np.testing.assert_allclose(target[0], [2 / 7, 0, 0, 5 / 7, 0], rtol=1e-6)
    np.testing.assert_allclose(np.sum(target, axis=-1), [1, 1], rtol=1e-6)


def test_reinforced_without_tail_is_a_softmax_of_probabilities():
    target = stored_target.reinforced_target(
        PROBABILITIES, IDS, num_classes=5, has_tail=False
    )
    share = 1 / (1 + np.exp(-0.3))
    np.testing.assert_allclose(target[0], [1 - share, 0, 0, share, 0], rtol=1e-5)


@pytest.mark.parametrize("divergence", ["kl", "cross_entropy"])
def test_divergence_takes_zero_log_zero_as_zero(divergence):
    target = np.array([[0.25, 0.75, 0.0]], "float32")
    ours = stored_target.soft_label_divergence(
        target, np.zeros((1, 3), "float32"), divergence=divergence
    )
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    expected = np.log(3) - (entropy if divergence == "kl" else 0)
    np.testing.assert_allclose(ours, [expected], rtol=1e-6)

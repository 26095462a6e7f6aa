"""The number of each example travels with it."""

import numpy as np


def test_numbers_are_places_in_the_fixed_order_however_shuffled(digits):
    x, y = digits.train.arrays()
    seen = []
    for batch, labels in digits.train.batches(50, shuffle_seed=1, ids=True):
        np.testing.assert_array_equal(batch.inputs, x[batch.ids])
        np.testing.assert_array_equal(labels, y[batch.ids])
        seen += batch.ids.numpy().tolist()
    assert sorted(seen) == list(range(len(x)))
    assert seen != sorted(seen)


def test_numbers_without_labels_are_no_labels(digits):
    (batch,) = next(iter(digits.train.batches(5, ids=True, labels=False)))
    np.testing.assert_array_equal(batch.ids, np.arange(5))

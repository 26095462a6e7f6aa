"""The epoch, from the step count."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.losses.epochs import check_count, epoch_at


@pytest.mark.parametrize(("step", "epoch"), [(0, 1), (6, 1), (7, 2), (70, 11)])
def test_first_epoch_is_one(step, epoch):
    assert int(epoch_at(step, 7)) == epoch
    assert int(epoch_at(tf.Variable(step, dtype="int64"), 7)) == epoch


@pytest.mark.parametrize("value", [1, 500])
def test_whole_numbers_are_counts(value):
    check_count("Loss", "k", value)


@pytest.mark.parametrize("value", [0, -3, 1.5, np.inf, True, "5"])
def test_other_values_are_not_counts(value):
    with pytest.raises(ValueError, match="Loss: expected `k` to be a"):
        check_count("Loss", "k", value)

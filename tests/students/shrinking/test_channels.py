"""Channels that stand or fall together, and how many stay."""

import numpy as np
import pytest

from keras_kd.students.shrinking.channels import Kept, Ledger, scaled_size


@pytest.mark.parametrize(
    ("size", "width", "divisor", "expected"),
    [
        (64, 0.25, 8, 16),
        (24, 0.5, 8, 16),  # 12 is as near to 8: the larger
        (64, 0.01, 8, 8),
        (4, 0.5, 8, 4),
        (30, 0.99, 8, 30),  # 32 is nearest, and more than there are
        (10, 1.0, 8, 10),
        (10, 0.5, 1, 5),
    ],
)
def test_size_is_the_nearest_multiple_within_bounds(size, width, divisor, expected):
    assert scaled_size(size, width, divisor) == expected


def test_highest_scores_stay_in_their_order():
    ledger = Ledger(0.5, 1)
    channels = ledger.new(4)
    kept = Kept(ledger, np.array([1.0, 4.0, 2.0, 3.0]))
    assert kept.positions(channels).tolist() == [1, 3]


def test_tied_channels_stay_at_the_same_places():
    ledger = Ledger(0.5, 1)
    one, other = ledger.new(4), ledger.new(4)
    ledger.unify(other, one)
    scores = np.zeros(8)
    scores[:4] = [0, 2, 3, 1]
    kept = Kept(ledger, scores)
    assert kept.positions(one).tolist() == kept.positions(other).tolist() == [1, 2]


def test_one_fixed_channel_fixes_all_it_is_tied_to():
    ledger = Ledger(0.25, 1)
    one, other = ledger.new(4), ledger.new(8)
    ledger.unify(one, other[:4])
    ledger.fix(one)
    kept = Kept(ledger)
    assert kept.count(one) == 4
    assert kept.positions(other).tolist() == [0, 1, 2, 3, 4]


def test_parts_of_an_axis_are_rounded_apart():
    ledger = Ledger(0.5, 8)
    parts, whole = [ledger.new(16), ledger.new(48)], ledger.new(64)
    ledger.unify(whole[:16], parts[0])
    ledger.unify(whole[16:], parts[1])
    kept = Kept(ledger)
    assert [kept.count(c) for c in (*parts, whole)] == [8, 24, 32]


def test_channels_that_come_in_groups_are_rounded_by_what_the_layer_has():
    """32 groups of 4 channels: 2 of each make 64, a multiple of 8."""
    ledger = Ledger(0.5, 8)
    channels = ledger.new(128)
    ledger.unify(channels, channels[:4].tile(32))
    assert Kept(ledger).count(channels) == 64


def test_repeat_and_tile_order_as_numpy_does():
    channels = Ledger(1, 1).new(2)
    assert channels.repeat(2).ids.tolist() == [0, 0, 1, 1]
    assert channels.tile(2).ids.tolist() == [0, 1, 0, 1]

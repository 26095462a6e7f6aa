"""Bisection and neighbours against a look at all architectures."""

import numpy as np
import pytest

from keras_kd.budget import Candidate
from keras_kd.budget._search import largest_that_fits, most_measurements
from keras_kd.students.shrinking.grid import Architecture


def made(count):
    """Architectures of one weight, with 10, 20, … parameters."""
    return [
        Architecture(n / count, 1.0, 10 * n, ((10, n),)) for n in range(1, count + 1)
    ]


def counting(over):
    """A measure that keeps what it was asked, and names the limits by a function."""
    asked = []

    def measure(one):
        if one not in asked:
            asked.append(one)
        names = over(one)
        return Candidate(one.width, 1.0, 8, one.params, 0, 0, 0, None, tuple(names))

    return measure, asked


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_finds_the_last_that_fits_with_few_measurements(count):
    for fitting in range(count + 1):
        measure, asked = counting(
            lambda one, n=fitting: ["max_macs"] * (one.params > 10 * n)
        )
        found = largest_that_fits(made(count), measure, None)
        assert (found.params if found else 0) == 10 * fitting
        assert len(asked) <= most_measurements(made(count))
        if fitting < count:
            assert made(count)[fitting] in asked


def test_parameters_are_limited_without_measuring():
    measure, asked = counting(lambda one: ["max_params"] * (one.params > 45))
    assert largest_that_fits(made(1000), measure, 45).params == 40
    assert max(one.params for one in asked) == 50  # the next larger one, to be shown


def test_neighbours_of_a_cost_that_does_not_only_grow_are_tried():
    costs = {10: 1, 20: 2, 30: 6, 40: 4, 50: 7, 60: 5, 70: 9, 80: 9}
    measure, _ = counting(lambda one: ["max_latency_ms"] * (costs[one.params] > 5))
    assert largest_that_fits(made(8), measure, None).params == 60


def test_neighbours_are_tried_where_an_axis_becomes_smaller():
    """Fewer and wider heads: more parameters, and maybe fewer bytes."""
    shapes = [((1, 10),), ((2, 11),), ((1, 30),)]
    grid = [Architecture(n, 1.0, 10 + n, shape) for n, shape in enumerate(shapes)]
    measure, _ = counting(lambda one: ["max_size_bytes"] * (one.params == 11))
    assert largest_that_fits(grid, measure, None).params == 12


def test_next_larger_never_fits_whatever_the_costs():
    random = np.random.default_rng(0)
    for _ in range(200):
        count = int(random.integers(1, 40))
        costs = np.sort(random.uniform(size=count)) + random.normal(0, 0.1, count)
        over = dict(zip(range(10, 10 * count + 1, 10), costs > 0.5, strict=True))
        measure, asked = counting(
            lambda one, over=over: ["max_arena_bytes"] * int(over[one.params])
        )
        grid = made(count)
        found = largest_that_fits(grid, measure, None)
        place = found.params // 10 if found else 0
        assert not found or costs[place - 1] <= 0.5
        assert (costs[place : place + 2] > 0.5).all()
        assert place == count or grid[place] in asked

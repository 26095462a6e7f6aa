"""Latency is noisy: near a limit it is measured thrice, and the median counts."""

import pytest

from keras_kd.benchmark import Measurement
from keras_kd.budget import _measuring, within
from keras_kd.export import inspect
from keras_kd.students import convnet


def latency(p50_ms):
    return Measurement("host", "host CPU", "here", "LiteRT", p50_ms=p50_ms)


@pytest.fixture
def times(monkeypatch):
    """A function that sets the medians that are measured, or how a file has one.

    Its result grows by each that was.
    """

    def use(p50_ms):
        done = []

        def measured(path, *, target, threads):
            assert (target, threads) == ("host", 1)
            of_file = callable(p50_ms)
            done.append(p50_ms(inspect(path)) if of_file else p50_ms[len(done)])
            return latency(done[-1])

        monkeypatch.setattr(_measuring, "measure", measured)
        return done

    return use


@pytest.mark.slow
def test_largest_within_a_latency_that_follows_the_work(
    times, net, every_student, tmp_path
):
    done = times(lambda file: file.macs / 1e4)
    limit_ms = every_student[2][2] / 1e4 + 0.01
    found = within(net, max_latency_ms=limit_ms, cache=tmp_path)
    assert found.chosen.params == every_student[2][0]
    assert found.chosen.latency_ms == every_student[2][2] / 1e4
    above = [one for one in found.tried if one.params > found.chosen.params]
    assert {one.over for one in above} == {("max_latency_ms",)}
    near = [one for one in found.tried if abs(one.latency_ms / limit_ms - 1) <= 0.15]
    count = len(found.tried) + 2 * len(near)
    assert len(done) == count
    assert within(net, max_latency_ms=limit_ms, cache=tmp_path).tried == found.tried
    assert len(done) == count


@pytest.mark.slow
def test_near_the_limit_the_median_of_three_counts(times, tmp_path):
    net = convnet((8, 8, 1), 10, width=8)
    options = {"max_latency_ms": 10.0, "divisor": 16, "cache": tmp_path}
    done = times([9.0, 12.0, 9.5])
    assert within(net, **options).chosen.latency_ms == 9.5
    assert len(done) == 3
    other = options | {"cache": tmp_path / "other"}
    times([9.0, 10.5, 12.0])
    with pytest.raises(ValueError, match=r"max_latency_ms=10 \(.*reachable: 10\.5\)"):
        within(net, **other)


@pytest.mark.slow
def test_a_limit_that_comes_near_is_reason_to_measure_again(times, tmp_path):
    net = convnet((8, 8, 1), 10, width=8)
    options = {"divisor": 16, "cache": tmp_path}
    done = times([5.0])
    within(net, max_latency_ms=10.0, **options)
    assert len(done) == 1
    done = times([5.0, 5.1, 5.2])
    assert within(net, max_latency_ms=5.5, **options).chosen.latency_ms == 5.1
    assert len(done) == 3

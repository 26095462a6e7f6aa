"""Timing says what was timed, and on what."""

import dataclasses

import keras
import pytest
from keras import layers

from keras_kd.benchmark import measure
from keras_kd.export import convert


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    path = tmp_path_factory.mktemp("file") / "m.tflite"
    convert(model, path, precision="float32")
    return path


def test_percentiles_are_ordered_and_the_device_is_named(file):
    latency = measure(file, runs=50, warmup=2)
    assert 0 < latency.p50_ms <= latency.p90_ms <= latency.p99_ms
    assert latency.init_ms > 0
    assert (latency.runs, latency.threads) == (50, 1)
    assert latency.measured_on.startswith("host CPU, ")
    assert "cores" in latency.machine
    with pytest.raises(dataclasses.FrozenInstanceError):
        latency.p50_ms = 0


def test_percentiles_are_numpys_of_the_timed_runs(file, monkeypatch):
    times = iter([0.0, 0.001] + [t for n in range(103) for t in (n, n + n / 1000)])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    latency = measure(file, runs=101, warmup=2)
    # The two warm-up runs took 0 and 1 ms; those that count 2, 3, …, 102 ms.
    assert latency.p50_ms == pytest.approx(52.0)
    assert latency.p90_ms == pytest.approx(92.0)
    assert latency.p99_ms == pytest.approx(101.0)
    assert latency.init_ms == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "phone"}, "one of 'host'"),
        ({"runs": 0}, "`runs` to be an int of at least 1"),
        ({"threads": 0.5}, "`threads`"),
        ({"warmup": -1}, "`warmup`"),
    ],
)
def test_unusable_arguments_say_what_to_do(file, changes, message):
    with pytest.raises(ValueError, match=message):
        measure(file, **changes)


def test_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(ValueError, match=r"a \.tflite file that LiteRT can run"):
        measure(tmp_path / "no.tflite")

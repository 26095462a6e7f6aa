"""Files are timed in turn, and their ratio comes with an interval."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import bootstrap

from keras_kd.benchmark import DeviceError, Measurement, compare
from keras_kd.benchmark.compare import ratio_of_medians

ABOUT = ("host", "host CPU", "a machine", "LiteRT")


@pytest.fixture
def host(monkeypatch):
    """A target with a clock that slows down; int8 takes half the time of float32."""
    module = SimpleNamespace(order=[], changes={})

    def run(request):
        name = request.path.stem.split("-")[1]
        module.order.append(name)
        ms = (1 + 0.01 * len(module.order)) * (0.5 if name == "int8" else 1)
        times = {"p50_ms": ms, "p90_ms": ms, "min_ms": 0.9 * ms, "load": 0.0}
        return Measurement(*ABOUT, **{**times, **module.changes})

    module.run = run
    monkeypatch.setitem(sys.modules, "keras_kd.benchmark.host", module)
    return module


@pytest.fixture
def paths(digits_files):
    return [digits_files["float32"], digits_files["int8"]]


def test_rounds_take_turns_at_who_is_first(paths, host):
    compare(paths, rounds=5)
    assert host.order == ["float32", "int8", "int8", "float32"] * 2 + [
        "float32",
        "int8",
    ]


def test_figures_are_those_of_the_rounds(paths, host):
    found = compare(paths, rounds=5, runs=10)
    first, second = found.files
    # Runs 1, 4, 5, 8, 9 and 2, 3, 6, 7, 10 of a clock that slows by 1 % each.
    assert first.round_p50_ms == pytest.approx((1.01, 1.04, 1.05, 1.08, 1.09))
    assert second.round_p50_ms == pytest.approx((0.51, 0.515, 0.53, 0.535, 0.55))
    assert (first.p50_ms, second.p50_ms) == pytest.approx((1.05, 0.53))
    assert (first.min_ms, second.min_ms) == pytest.approx((0.909, 0.459))
    assert (first.ratio, first.ratio_ci95) == (1, (1, 1))
    assert second.ratio == pytest.approx(0.53 / 1.05)
    assert second.ratio_ci95[0] <= second.ratio <= second.ratio_ci95[1]
    assert [one.file for one in found.files] == [str(path) for path in paths]
    assert (found.rounds, found.runs, found.warnings) == (5, 10, ())


def test_interval_is_that_of_scipy():
    generator = np.random.default_rng(0)
    first, times = generator.lognormal(0, 0.1, (2, 15))

    def statistic(times, first, axis):
        return np.median(times, axis=axis) / np.median(first, axis=axis)

    expected = bootstrap(
        (times, first), statistic, paired=True, method="percentile", rng=1
    ).confidence_interval
    ratio, interval = ratio_of_medians(times, first)
    assert ratio == pytest.approx(np.median(times) / np.median(first))
    assert interval == pytest.approx((expected.low, expected.high), abs=0.01)


def test_doubtful_runs_are_counted(paths, host):
    host.changes = {"governor": "powersave"}
    (warning,) = compare(paths, rounds=6).warnings
    assert "12 of 12 runs" in warning
    assert "powersave" in warning


def test_device_that_gives_no_fastest_run_can_be_compared(paths, host):
    host.changes = {"min_ms": None}
    assert compare(paths, rounds=5).files[1].min_ms is None


def test_target_without_times_cannot_be_compared(paths, host):
    host.changes = {"p50_ms": None}
    with pytest.raises(DeviceError, match="host: this target gives no times"):
        compare(paths)


@pytest.mark.parametrize(
    ("number", "options", "message"),
    [
        (1, {}, "two or more files"),
        (2, {"rounds": 4}, "at least 5"),
        (2, {"rounds": 5.5}, "`rounds` to be an int"),
        (2, {"target": "phone"}, "one of 'host'"),
    ],
)
def test_unusable_arguments_say_what_to_do(paths, host, number, options, message):
    with pytest.raises(ValueError, match=message):
        compare(paths[:number], **options)
    assert host.order == []


@pytest.mark.slow
def test_file_compared_with_a_slower_one_on_this_machine(digits_files, colour_files):
    """Thirty times the multiplications: no noise turns that round."""
    found = compare([digits_files["float32"], colour_files["float32"]], rounds=5)
    assert found.files[1].ratio_ci95[0] > 2
    assert 0 < found.files[1].min_ms <= found.files[1].p50_ms
    assert found.measured_on.startswith("host CPU")

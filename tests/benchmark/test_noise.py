"""Times that cannot be trusted say so."""

import pytest

from keras_kd.benchmark import Measurement
from keras_kd.benchmark.noise import doubts

QUIET = {
    "target": "host",
    "measured_on": "host CPU",
    "machine": "a machine",
    "runtime": "LiteRT",
    "p50_ms": 1.0,
    "p90_ms": 1.2,
    "load": 0.1,
    "governor": "performance",
}


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)


def found(**changes):
    return doubts(Measurement(**{**QUIET, **changes}))


def test_a_quiet_machine_gives_no_warning():
    assert found() == ()
    assert found(load=None, governor=None, p90_ms=None) == ()


def test_spread_is_named_with_its_size():
    (doubt,) = found(p90_ms=1.5)
    assert "p90 is 1.50 times p50" in doubt


@pytest.mark.parametrize(
    ("load", "threads", "busy"),
    [(3.4, 1, False), (3.6, 1, True), (0.4, 4, False), (0.6, 4, True)],
)
def test_load_leaves_no_core_for_the_threads(load, threads, busy):
    doubts_found = found(load=load, threads=threads)
    assert len(doubts_found) == busy
    assert all(f"a load of {load}" in doubt for doubt in doubts_found)


def test_cores_of_another_machine_are_not_guessed():
    assert found(target="ssh:board", load=50.0) == ()


def test_load_here_counts_for_a_browser_with_a_gpu():
    assert len(found(target="browser:webgpu", load=50.0)) == 1


def test_governor_that_keeps_the_clock_low_is_named():
    assert found(governor="schedutil") == ()
    (doubt,) = found(governor="powersave")
    assert '"powersave"' in doubt


def test_without_times_there_is_nothing_to_doubt():
    assert found(p50_ms=None, p90_ms=None, load=50.0, governor="powersave") == ()

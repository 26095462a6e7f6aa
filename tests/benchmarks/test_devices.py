"""The same student on every target: the measurement runs, and its classes agree."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
RESULTS = json.loads((FOLDER / "results" / "devices.json").read_text())


@pytest.fixture
def script(monkeypatch):
    """A function that imports a file of `benchmarks/`, as a script there can."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.mark.release
def test_two_targets_are_measured_and_compared(script, monkeypatch, tmp_path, capsys):
    devices, runs = script("devices"), script("_student_sizes_runs")
    setting = runs.Setting(8, {"1/10": 0.5}, None, 1, 1)
    monkeypatch.setattr(runs, "setting_of", lambda data: setting)
    options = ["--targets", "host", "microcontroller", "--examples", 20]
    options += ["--runs", tmp_path / "runs", "--out", tmp_path]
    monkeypatch.setattr(sys, "argv", ["", *map(str, options)])
    devices.main()
    found = json.loads((tmp_path / "devices.json").read_text())["digits"]
    assert found["examples"] == 20
    assert len(found["rows"]) == 12
    assert {row["target"] for row in found["rows"]} == {"host", "microcontroller"}
    for row in found["rows"]:
        assert (row["p50_ms"] is None) == (row["target"] == "microcontroller")
        assert row["same_class_as_host"] > 0.9
    assert "| teacher, float32 |" in capsys.readouterr().out
    assert (tmp_path / "devices_digits.png").exists()


def test_agreement_is_with_the_same_file_on_the_host(script):
    def row(target, precision, outputs):
        names = {"model": "a", "precision": precision, "target": target}
        return {**names, "outputs": np.array(outputs)}

    rows = [
        row("host", "int8", [[1, 9], [5, 4], [7, 0], [8, 0]]),
        row("host", "float32", [[0, 1]] * 4),
        row("linux", "int8", [[1, 9], [4, 5], [7, 0], [8, 0]]),
    ]
    found = script("devices").with_agreement(rows)
    assert [one["same_class_as_host"] for one in found] == [1.0, 1.0, 0.75]
    assert [one["largest_gap"] for one in found] == [0.0, 0.0, 1.0]
    assert "outputs" not in found[0]


@pytest.mark.parametrize("data", ["digits", "cifar10_small"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_every_target_chose_the_same_classes(data, precision):
    """But for near ties: the kernels of TensorFlow Lite Micro round sums twice."""
    rows = [row for row in RESULTS[data]["rows"] if row["precision"] == precision]
    targets = {"host", "linux", "browser", "aarch64", "microcontroller"}
    targets |= {"cortex-m4"} if precision == "int8" else set()
    assert {row["target"] for row in rows} == targets
    assert RESULTS[data]["examples"] == 100
    for row in rows:
        rounds_twice = row["target"] in ("microcontroller", "cortex-m4")
        may_differ = precision == "int8" and rounds_twice
        assert row["same_class_as_host"] >= (0.99 if may_differ else 1.0)
        assert row["largest_gap"] <= may_differ

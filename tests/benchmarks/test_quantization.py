"""The experiment of quantisation: it runs, goes on, and its table is what it says."""

import importlib
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a file of `benchmarks/`, as a script there can."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.mark.release
def test_what_was_trained_is_not_trained_again(script, monkeypatch, tmp_path, capsys):
    quantization, runs = script("quantization"), script("_quantization_runs")
    setting = runs.Setting((4, 1), {"plain": runs.plain}, None, 1, 1, {8: 1, 4: 1})
    for module in (quantization, runs):
        monkeypatch.setattr(module, "setting_of", lambda data: setting)
    options = ["--seeds", 1, "--runs", tmp_path / "runs", "--out", tmp_path]
    monkeypatch.setattr(sys, "argv", ["", *map(str, options)])
    quantization.main()
    results = json.loads((tmp_path / "quantization.json").read_text())
    (run,) = results["data"]["digits"]["students"]["plain"]["runs"]
    assert set(run) == set(script("_quantization_table").ROWS)
    assert run["int8_in_training"]["agreement"] > 0.9
    four, eight = (run[f"{p}_in_training"] for p in ("int4_weights", "int8"))
    assert four["size_bytes"] < eight["size_bytes"]

    monkeypatch.setattr(runs._Runs, "_distilled", None)
    (tmp_path / "runs" / "digits" / "plain" / "seed_0" / "test.json").unlink()
    quantization.main()
    again = json.loads((tmp_path / "quantization.json").read_text())
    assert again["data"] == results["data"]
    assert "| digits, plain | float32 |" in capsys.readouterr().out


def test_differences_are_taken_seed_by_seed(script):
    table = script("_quantization_table")
    runs = [
        {row: {"accuracy": accuracy} for row in table.ROWS} for accuracy in (0.9, 0.8)
    ]
    for run, less, agreement in zip(runs, (0.01, 0.03), (0.999, 0.99), strict=True):
        accuracy = run["float"]["accuracy"] - less
        scores = {"accuracy": accuracy, "agreement": agreement, "size_bytes": 10}
        run["int8_in_training"] = scores
    row = table.summary(runs)["int8_in_training"]
    assert row["less_float"]["mean"] == pytest.approx(-2.0)
    assert row["less_float"]["seeds"] == [-1.0, -3.0]
    assert row["less_float"]["standard_deviation"] == pytest.approx(2**0.5, rel=1e-3)
    assert row["least_agreement"] == 99.0
    assert row["size_bytes"] == 10

"""The experiment of student sizes: it runs, goes on, and its figure has its numbers."""

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
    sizes, runs = script("student_sizes"), script("_student_sizes_runs")
    setting = runs.Setting(8, {"1/4": 0.5, "1/10": 0.25}, None, 1, 1)
    monkeypatch.setattr(runs, "setting_of", lambda data: setting)
    options = ["--seeds", 1, "--runs", tmp_path / "runs", "--out", tmp_path]
    monkeypatch.setattr(sys, "argv", ["", *map(str, options)])
    sizes.main()
    path = tmp_path / "student_sizes.json"
    results = json.loads(path.read_text())
    quarter, tenth = results["students"].values()
    assert set(quarter["recipes"]) == set(runs.RECIPES)
    assert set(tenth["recipes"]) == {*runs.RECIPES, "distilled_through_assistant"}
    assert tenth["params"] < quarter["params"] < results["teacher"]["params"]
    assert (tmp_path / "student_sizes.png").exists()

    monkeypatch.setattr(runs.Runs, "_trained", None)
    for score in (tmp_path / "runs").rglob("seed_*.json"):
        score.unlink()
    sizes.main()
    assert json.loads(path.read_text()) == results
    assert "| 1/4 |" in capsys.readouterr().out


def test_differences_are_taken_seed_by_seed(script):
    recipes = {"scratch": [0.5, 0.6], "distilled": [0.52, 0.61], "other": [0.6, 0.6]}
    summary = script("_student_sizes_table").summary(recipes)
    assert summary["distilled"]["more_than_scratch"]["seeds"] == [2.0, 1.0]
    assert summary["distilled"]["accuracy"]["mean"] == pytest.approx(56.5)
    other = summary["other"]["more_than_distilled"]
    assert other["seeds"] == [8.0, -1.0]
    assert other["mean"] == pytest.approx(3.5)
    assert other["standard_deviation"] == pytest.approx(9 / 2**0.5, rel=1e-3)


def test_figure_shows_every_size_and_way(script):
    table = script("_student_sizes_table")
    results = json.loads((FOLDER / "results" / "student_sizes.json").read_text())
    (axes,) = table.figure(results).axes
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == list(table.TITLES.values())
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == [
        f"{student['params']:,}\n{size}"
        for size, student in results["students"].items()
    ]

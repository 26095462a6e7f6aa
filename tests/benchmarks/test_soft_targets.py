"""The measurement of stored soft targets: it runs, and its ratios are what they say."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import tensorflow as tf

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a file of `benchmarks/`, as a script there can."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.fixture
def eager():
    """Without graphs: for so few batches, tracing them takes most of the time."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
def test_every_part_is_measured(eager, script, monkeypatch, tmp_path, capsys):
    soft_targets, runs = script("soft_targets"), script("_soft_targets_runs")
    monkeypatch.setattr(soft_targets, "TASKS", ("label",))
    monkeypatch.setattr(runs, "STUDENT", (2, 1))
    for name in runs.TEACHERS:
        monkeypatch.setitem(runs.TEACHERS, name, (2, 1))
    sizes = ["--examples", 64, "--total-examples", 320, "--memory-examples", 4]
    times = ["--epochs", 1, "--repeats", 1, "--warmup", 0, "--seeds", 2]
    options = [*sizes, *times, "--out", tmp_path]
    monkeypatch.setattr(sys, "argv", ["", *map(str, options)])
    soft_targets.main()
    results = json.loads((tmp_path / "soft_targets.json").read_text())
    assert results["bytes"]["full_of_1000"]["bytes_per_example"] > 2 * 1000
    assert results["bytes"]["top_10_of_1000"]["bytes_per_example"] > 10 * (2 + 2)
    assert results["memory"]["images_mb"] == [1, 8]
    assert min(results["memory"]["peak_mb"]["label"]) > 100
    for values in results["accuracy"]["students"].values():
        assert len(values["seeds"]) == 2
    lines = capsys.readouterr().out.splitlines()
    (start,) = (at for at, line in enumerate(lines) if line == "| what | ratio |")
    assert all(line.count("|") == 3 for line in lines[start:-1])


def test_ratios_of_totals_are_those_of_their_parts(script):
    table = script("_soft_targets_table")
    seconds = {"forward_student": 1.0, "plain": 3.0, "stored": 3.5, "attach": 2.0}
    for name, forward in (("10x", 10.0), ("20x", 20.0)):
        seconds[f"forward_{name}"] = forward
        seconds[f"keras_{name}"] = 3.0 + forward
        seconds[f"predict_{name}"] = forward
        seconds[f"label_{name}"] = forward + 3.0
        seconds[f"predict_first_batch_{name}"] = 1.0
        seconds[f"label_first_batch_{name}"] = 2.75
    ratios = table.total_ratios(seconds, number=512, epochs=30)
    assert ratios["10x"] == {
        "teacher_forward_to_student_forward": 10.0,
        "stored_to_least": 1.2,  # (13 + 2 + 105) / (10 + 90)
        "keras_to_stored": 3.25,  # 30 * 13 / 120
        "label_to_predict_throughput": 0.769,  # 10 / 13
        "label_to_predict_throughput_from_second_batch": 0.878,  # 9 / 10.25
    }
    assert ratios["20x"]["keras_to_stored"] == 5.308  # 30 * 23 / 130


def test_median_and_minimum_are_summarised_with_their_ratios(script):
    table = script("_soft_targets_table")
    plain = {"plain": [1.0, 2.0, 4.0], "plain_cropped": [1.0], "plain_1000": [2.0]}
    stored = {"full": [1.5, 2.5, 9.0], "full_cropped": [1.5]}
    many = {"full_of_1000": [2.5], "top_10_of_1000": [3.0]}
    result = table.summary({**plain, **stored, **many}, table.epoch_ratios)
    rest = {"full_cropped": 1.5, "full_of_1000": 1.25, "top_10_of_1000": 1.5}
    assert result["median"]["stored_to_plain"] == {"full": 1.25, **rest}
    assert result["minimum"]["stored_to_plain"] == {"full": 1.5, **rest}
    assert result["median"]["seconds"]["plain"] == 2.0

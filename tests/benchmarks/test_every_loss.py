"""The comparison of all losses: what it compares, what it concludes, how it goes on."""

import copy
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.losses.every_loss import EVERY_LOSS

FOLDER = Path(__file__).parents[2] / "benchmarks"
NO_KD, LOGITS = "no KD", "LogitRegressionDistillation"
# It has weights of its own, and random masks.
MASKED = "MaskedGenerativeDistillation"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a file of `benchmarks/`, as a script there can."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.fixture
def run(script, monkeypatch, tmp_path):
    """Runs a short comparison of two losses; returns the result file's content."""

    def run(*options):
        out = tmp_path / "every_loss.json"
        fixed = ["--out", out, "--teachers", tmp_path, "--teacher-steps", 10]
        fixed += ["--seeds", 1, "--tuning-seeds", 1, "--losses", LOGITS, MASKED]
        monkeypatch.setattr(sys, "argv", ["", *map(str, [*fixed, *options])])
        script("every_loss").main()
        return json.loads(out.read_text())

    return run


def test_every_loss_is_run_or_said_not_to_apply(script):
    recipes = script("_every_loss_recipes")
    named = {name for name in recipes.RECIPES if name in EVERY_LOSS}
    assert sorted([*named, *recipes.NOT_APPLICABLE]) == sorted(EVERY_LOSS)


@pytest.mark.slow
def test_an_interrupted_comparison_ends_like_an_uninterrupted_one(
    run, tmp_path, capsys
):
    whole = run("--steps", 10)
    runs = whole["runs"]
    assert set(runs) == {NO_KD, LOGITS, MASKED}
    assert {"0.01", "0.1", "1", "10"} <= set(runs[MASKED])
    assert runs[MASKED]["1"]["seed"] == [1000, 0]
    assert runs[MASKED]["1"]["test_accuracy"][0] is None
    # The last run of a model that was used before becomes the first one of a new model.
    cut = copy.deepcopy(whole)
    for column in cut["runs"][MASKED]["1"].values():
        del column[-1]
    del cut["summary"]
    (tmp_path / "every_loss.json").write_text(json.dumps(cut))
    again = run("--steps", 10)
    for column in ("seed", "validation_accuracy", "test_accuracy"):
        assert again["runs"][MASKED]["1"][column] == runs[MASKED]["1"][column]
    assert again["summary"].keys() == whole["summary"].keys()
    capsys.readouterr()
    run("--table")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3
    assert sum(line.startswith("| MGD | ") for line in lines) == 1


def test_other_settings_do_not_go_on(run, script, tmp_path):
    script("every_loss")
    started = {"set_up": {"steps": 600}, "seeds": [], "runs": {}}
    (tmp_path / "every_loss.json").write_text(json.dumps(started))
    with pytest.raises(SystemExit, match=r"other settings \(.*steps.*another --out"):
        run("--steps", 10)


def test_factor_is_that_of_the_best_validation_accuracy(script):
    runs = {
        "0.1": {"seed": [7, 5, 6], "validation_accuracy": [0.0, 0.7, 0.9]},
        "1": {"seed": [5, 6, 0], "validation_accuracy": [0.5, 0.8, 1.0]},
        "10": {"seed": [6, 5], "validation_accuracy": [0.9, 0.8]},
        "100": {"seed": [6, 0], "validation_accuracy": [1.0, 1.0]},
    }
    chosen_factor = script("_every_loss_table").chosen_factor
    assert chosen_factor(runs, [5, 6]) == 10.0
    # Equals, equally far from 1: the smaller one.
    runs["10"]["validation_accuracy"] = [0.9, 0.7]
    assert chosen_factor(runs, [5, 6]) == 0.1


def test_holm_is_that_of_r(script):
    # p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    adjusted = script("_every_loss_table").holm([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])
    assert script("_every_loss_table").holm([0.9, 0.8]) == [1.0, 1.0]


def test_difference_is_paired(script):
    ours, theirs = [0.9, 0.92, 0.97, 0.91], [0.88, 0.91, 0.93, 0.91]
    difference = script("_every_loss_table").paired_difference(ours, theirs)
    gaps = np.subtract(ours, theirs)
    half = stats.t.ppf(0.975, 3) * gaps.std(ddof=1) / 2
    assert difference["mean"] == pytest.approx(0.0175)
    np.testing.assert_allclose(difference["ci95"], [0.0175 - half, 0.0175 + half])
    assert difference["p"] == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)


@pytest.mark.parametrize(("gap", "p"), [(0.0, 1.0), (0.5, 0.0)])
def test_equal_differences_need_no_interval(script, gap, p):
    difference = script("_every_loss_table").paired_difference([gap] * 3, [0.0] * 3)
    assert difference == {"mean": gap, "ci95": [gap, gap], "p": p}

"""The peers learn the same task; those of the same method become the same student."""

import importlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def peers(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("peers")


@pytest.fixture
def bench(peers):
    keras.utils.set_random_seed(0)
    return peers.Bench(epochs=2, teacher_epochs=1)


@pytest.mark.slow
@pytest.mark.parametrize("other", ["keras_kl", "website"])
def test_methods_that_are_the_same_give_the_same_student(peers, bench, other):
    ours, theirs = (
        bench.trained(peers.MAKERS[name], 3)[0].get_weights()
        for name in ("ours", other)
    )
    for one, another in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, another, rtol=0.02, atol=0.004)


@pytest.mark.slow
def test_default_loss_and_no_teacher_give_other_students(peers, bench):
    weights = [
        np.concatenate([w.ravel() for w in bench.trained(make, 3)[0].get_weights()])
        for make in (peers.MAKERS[n] for n in ("ours", "keras_default", "labels"))
    ]
    assert np.abs(weights[0] - weights[1]).max() > 0.05
    assert np.abs(weights[0] - weights[2]).max() > 0.05


@pytest.mark.slow
def test_result_file_has_every_peer(peers, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(peers, "MAKERS", {"ours": peers.MAKERS["ours"]})
    options = ["--repeats", 2, "--epochs", 2, "--out", tmp_path]
    monkeypatch.setattr(sys, "argv", ["", *map(str, options)])
    peers.main()
    values = json.loads((tmp_path / "peers.json").read_text())["values"]
    assert [len(one) for one in values["ours"].values()] == [2, 2]
    assert len(values["teacher"]["test"]) == 1
    assert "| `keras_kd.Distiller` |" in capsys.readouterr().out


def test_readme_has_the_table_of_the_result_file(peers):
    results = json.loads((FOLDER / "results" / "peers.json").read_text("utf-8"))
    assert set(results["values"]) == {*peers.MAKERS, "pytorch", "teacher"}
    readme = (FOLDER.parent / "README.md").read_text("utf-8")
    assert "\n".join(peers.table(results)) in readme

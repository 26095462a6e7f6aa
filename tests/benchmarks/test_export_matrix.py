"""The matrix of what can be exported: how it is measured and shown."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a file of `benchmarks/`, as a script there can."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.mark.slow
def test_it_measures_writes_and_shows(script, monkeypatch, tmp_path, capsys):
    out = tmp_path / "results" / "matrix.json"
    options = ["--architectures", "text", "--out", out]
    monkeypatch.setattr(sys, "argv", ["", *map(str, options)])
    script("export_matrix").main()
    results = json.loads(out.read_text())
    assert list(results["cells"]) == ["text"]
    # An embedding of 50 words, two dense layers.
    assert results["params"]["text"] == 50 * 16 + 17 * 16 + 17 * 4
    cells = results["cells"]["text"]
    assert cells["float32"]["relative_error"] < 1e-5 < cells["int8"]["relative_error"]
    assert cells["int8"]["size_bytes"] > 1000
    shown = capsys.readouterr().out
    assert "| embedded words | <0.01 / 100.0 |" in shown


def test_table_numbers_the_reasons(script):
    limits = {"float32": 1e-5, "int8": 0.06, "int16x8": 0.02}
    works = {"relative_error": 0.0123, "agreement": 0.996, "size_bytes": 1}
    why = 'keras_kd.export.convert: "lstm" could not be written as int8: It: crashed.'
    other = "relative error 0.5, more than 0.02"
    results = {
        "limits": limits,
        "cells": {
            "lstm": {
                "float32": works,
                "int8": {"failed": why},
                "int16x8": {"failed": other},
            },
            "gru": {
                "float32": works,
                "int8": {"failed": why.replace("lstm", "gru")},
                "int16x8": works,
            },
        },
    }
    assert script("_export_matrix_table").table(results) == [
        "| architecture | float32 | int8 | int16x8 |",
        "|---|---|---|---|",
        "| LSTM | 1.23 / 99.6 | no (1) | no (2) |",
        "| GRU | 1.23 / 99.6 | no (1) | 1.23 / 99.6 |",
        "",
        "- (1) It: crashed.",
        "- (2) relative error 0.5, more than 0.02",
    ]


def test_relative_error_is_that_of_a_loop(script):
    got, expected = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[1.0, 2.0], [3.0, 4]])
    by_hand = (1.0 / (1 + 4 + 9 + 16)) ** 0.5
    assert script("export_matrix").relative_error(got, expected) == pytest.approx(
        by_hand
    )


def test_error_above_the_limit_counts_as_failed(script, monkeypatch, tmp_path):
    matrix = script("export_matrix")
    monkeypatch.setitem(matrix.LIMITS, "int8", 1e-9)
    model, x, _ = script("_export_architectures").trained("text")
    assert "more than 1e-09" in matrix.cell(model, x, "int8", tmp_path)["failed"]


def test_every_architecture_has_a_title(script):
    titles = script("_export_matrix_table").TITLES
    assert list(titles) == list(script("_export_architectures").ARCHITECTURES)

"""Every architecture in every precision: it works, or says clearly why not."""

import importlib
import json
import re
from pathlib import Path

import pytest

from keras_kd.export import PRECISIONS
from tests.export.architectures import ARCHITECTURES

FOLDER = Path(__file__).parents[2] / "benchmarks"
LOOPS = r"crashed with signal.*unroll=True"
# What TFLite, or TensorFlow's converter, cannot do, and a part of what we say of it.
FAILS = {
    ("mobilenet_v3", "int16x8"): "HARD_SWISH",
    ("vision_transformer", "int16x8"): "NEG",
    ("mlp_layer_norm", "int16x8"): "NEG",
    ("text", "int16x8"): "whole numbers",
    ("lstm", "int8"): LOOPS,
    ("lstm", "int16x8"): LOOPS,
    ("gru", "int8"): LOOPS,
    ("gru", "int16x8"): LOOPS,
}

# Half a minute and more each; others have their kinds of layers.
LONG = {
    "inception",
    "mobilenet_v2",
    "mobilenet_v3",
    "plain_cnn_softmax",
    "residual",
    "squeeze_excite",
}


@pytest.fixture
def matrix(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("export_matrix")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.release if name in LONG else ())
        for name in ARCHITECTURES
    ],
)
def test_architecture_works_in_every_precision_or_says_why_not(name, matrix, tmp_path):
    # `row` counts an error above the limit of its precision as failed.
    cells = matrix.row(name, tmp_path)
    assert list(cells) == list(PRECISIONS) == list(matrix.LIMITS)
    for precision, cell in cells.items():
        if (name, precision) in FAILS:
            assert re.search(FAILS[name, precision], cell["failed"]), precision
            continue
        assert "failed" not in cell, cell
        assert cell["agreement"] > (0.9 if precision == "int4_weights" else 0.97)
    files = {f"{name}-{p}.tflite" for p in PRECISIONS if (name, p) not in FAILS}
    assert {path.name for path in tmp_path.glob("*.tflite")} == files


def test_published_matrix_has_every_cell_and_the_same_ones_work():
    results = json.loads((FOLDER / "results" / "export_matrix.json").read_text())
    assert list(results["cells"]) == list(ARCHITECTURES)
    failed = {
        (name, precision)
        for name, row in results["cells"].items()
        for precision, cell in row.items()
        if "failed" in cell
    }
    assert failed == set(FAILS)
    assert list(results["limits"]) == list(PRECISIONS)

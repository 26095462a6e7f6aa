"""One table over files and targets, with the accuracy on each."""

import csv
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from keras_kd.benchmark import BenchmarkTable, DeviceError, Measurement, table_of


@pytest.fixture
def phone(monkeypatch):
    """A target "android" that answers class 3 to everything, on two accelerators."""
    module = SimpleNamespace(broken=())

    def run_variants(request):
        if request.path.stem in module.broken:
            raise DeviceError(f"android: unplugged at {request.path.stem}")
        outputs = np.zeros((20, 10), "int8")
        outputs[:, 3] = 1
        about = ("android", "phone", "a phone", "LiteRT")
        cpu = Measurement(*about, p50_ms=2.0, outputs=outputs)
        return [cpu, Measurement(*about, accelerator="GPU", p50_ms=1.0)]

    module.run_variants = run_variants
    monkeypatch.setitem(sys.modules, "keras_kd.benchmark.android", module)
    return module


@pytest.fixture
def data(digits_test):
    x, y = digits_test
    return x[:20], y[:20]


@pytest.fixture
def paths(digits_files):
    return [digits_files["float32"], digits_files["int8"]]


def test_rows_are_files_on_targets_with_the_accuracy_there(
    paths, data, digits_student, phone
):
    table = table_of(paths, targets=["host", "android"], data=data, runs=5)
    float32, int8, *on_phone = table.rows
    assert [(row.target, row.precision) for row in (float32, int8)] == [
        ("host", "float32"),
        ("host", "int8"),
    ]
    predicted = digits_student.predict(data[0], verbose=0).argmax(axis=-1)
    assert float32.accuracy.value == np.mean(predicted == data[1])
    assert (float32.model, float32.size_bytes) == ("digits", paths[0].stat().st_size)
    assert float32.measurement.p50_ms > 0
    found = [(row.measurement.accelerator, row.accuracy) for row in on_phone]
    assert [accelerator for accelerator, _ in found] == ["CPU", "GPU"] * 2
    assert found[0][1].value == np.mean(data[1] == 3)
    assert found[1][1] is None


def test_interval_is_wilsons(paths, data, phone):
    table = table_of(paths[1:], targets=["android"], data=data)
    p, n, z = np.mean(data[1] == 3), 20, norm.ppf(0.975)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    interval = table.rows[0].accuracy.ci95
    assert interval == pytest.approx((middle - half, middle + half))


def test_target_that_fails_does_not_keep_others_from_running(paths, phone):
    phone.broken = ("digits-float32",)
    told = []
    table = table_of(paths, targets=["android", "host"], runs=5, report=told.append)
    failed, *others = table.rows
    assert failed.failure == "android: unplugged at digits-float32"
    assert failed.measurement is None
    assert [row.failure for row in others] == [None] * 4
    assert told == [
        f"digits-{precision}.tflite on {target}"
        for target in ("android", "host")
        for precision in ("float32", "int8")
    ]


def test_precision_is_known_only_from_the_files_own_manifest(paths, tmp_path, phone):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for part in (paths[1], paths[1].with_suffix(".json")):
            shutil.copy(part, tmp_path / folder)
    copy = tmp_path / "digits-int8.tflite"
    shutil.copy(paths[0], copy)
    shutil.copy(paths[1].with_suffix(".json"), copy.with_suffix(".json"))
    files = [tmp_path / name / "digits-int8.tflite" for name in ("one", "two")]
    rows = table_of([*files, copy], targets=["android"]).rows[::2]
    assert [(row.model, row.precision) for row in rows] == [
        ("one/digits", "int8"),
        ("two/digits", "int8"),
        ("digits-int8", ""),
    ]


def test_files_hold_what_the_rows_hold(paths, data, phone, tmp_path):
    phone.broken = ("digits-int8",)
    table = table_of(paths, targets=["host", "android"], data=data, runs=5)
    table.write_json(tmp_path / "table.json")
    table.write_csv(tmp_path / "table.csv")
    written = json.loads((tmp_path / "table.json").read_text())
    assert "tensorflow" in written["versions"]
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    for row, plain, text in zip(table.rows, written["rows"], cells, strict=True):
        assert plain["file"] == text["file"] == row.file
        assert plain["failure"] == row.failure
        assert text["failure"] == (row.failure or "")
        if row.measurement is not None:
            assert plain["p50_ms"] == row.measurement.p50_ms == float(text["p50_ms"])
        if row.accuracy is not None:
            low = row.accuracy.ci95[0]
            assert plain["accuracy_ci95_low"] == low == float(text["accuracy_ci95_low"])
    assert "outputs" not in written["rows"][0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ["host", "moon"]}, "one of 'host'"),
        ({"targets": []}, "one or more targets"),
        ({"data": (np.zeros((2, 8, 8, 1)), np.zeros(3))}, "one class number"),
        ({"data": (np.zeros((2, 9, 9, 1)), np.zeros(2))}, "examples of shape"),
        ({"runs": 0}, "`runs`"),
    ],
)
def test_unusable_arguments_say_what_to_do(paths, changes, message):
    with pytest.raises(ValueError, match=message):
        table_of(paths, **changes)


def test_no_files_and_a_damaged_one_are_refused(tmp_path, paths, phone):
    with pytest.raises(ValueError, match="one or more files"):
        table_of([])
    (tmp_path / "m.tflite").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"a \.tflite file that LiteRT can run"):
        table_of([*paths, tmp_path / "m.tflite"], targets=["android"])


def test_table_is_frozen():
    with pytest.raises(AttributeError):
        BenchmarkTable(()).rows = 1

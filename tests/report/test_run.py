"""A run's folder is read as far as it can be."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest

from keras_kd import report
from keras_kd._checks import InvalidInputError
from keras_kd.report import _reproduce, _sentences


def rewrite(folder, change):
    path = folder / "results.json"
    results = json.loads(path.read_text())
    change(results)
    path.write_text(json.dumps(results))
    return report.read_run(folder)


def test_rows_are_those_of_the_file(run_folder):
    run = report.read_run(run_folder)
    written = json.loads((run_folder / "results.json").read_text())
    assert [row.name for row in run.rows] == [row["name"] for row in written["rows"]]
    for row, other in zip(run.rows, written["rows"], strict=True):
        assert row.run == "run"
        assert row.accuracy == other["accuracy"]
        assert list(row.accuracy_ci95) == other["accuracy_ci95"]
    assert {path.name for path in run.models.values()} == {
        "teacher.keras",
        "distilled.keras",
        "scratch.keras",
    }
    assert not run.missing


@pytest.mark.parametrize("name", ["results.json", "teacher.keras", "scratch.keras"])
def test_what_is_not_there_is_named(run_folder, name):
    (run_folder / name).unlink()
    assert any(name in sentence for sentence in report.read_run(run_folder).missing)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rows": 3}', '{"rows": [{}, 3]}'])
def test_damaged_results_leave_the_rest(run_folder, text):
    (run_folder / "results.json").write_text(text)
    run = report.read_run(run_folder)
    assert run.rows == ()
    assert run.models.keys() == {"teacher", "student", "scratch"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accuracy", "high"),
        ("accuracy", float("nan")),
        ("accuracy_ci95", [0.5]),
        ("latency_ms", {"p90": 1.0}),
        ("name", 7),
        ("params", None),
    ],
)
def test_a_row_that_is_none_is_left_out(run_folder, field, value):
    run = rewrite(run_folder, lambda results: results["rows"][0].update({field: value}))
    assert len(run.rows) == 3
    assert any("left out" in sentence for sentence in run.missing)


@pytest.mark.parametrize("what", ["none", "empty", "other"])
def test_a_folder_of_something_else_is_an_error(tmp_path, what):
    folder = tmp_path / "run"
    if what != "none":
        folder.mkdir()
    if what == "other":
        (folder / "notes.txt").write_text("hello")
    with pytest.raises(InvalidInputError, match="folder of a run"):
        report.read_run(folder)


def test_histories_are_those_of_the_csv_logger(run_folder):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 2), "float32")
    logger = keras.callbacks.CSVLogger(run_folder / "distilled.csv")
    kept = model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[logger])
    with (run_folder / "other.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", "age"], ["a", 3]])
    histories = report.read_run(run_folder).histories
    assert histories.keys() == {"distilled"}
    assert histories["distilled"]["loss"] == pytest.approx(kept.history["loss"])


def test_the_summary_says_what_was_measured(run_folder):
    def change(results):
        for row, accuracy in zip(results["rows"], (0.8, 0.7, 0.75, 0.75), strict=True):
            row |= {"accuracy": accuracy, "params": 1000 if accuracy == 0.8 else 100}
            row["accuracy_ci95"] = [accuracy - 0.1, accuracy + 0.1]

    said = " ".join(_sentences.summary(rewrite(run_folder, change)))
    assert "right on 75.0% of the test part, its teacher on 80.0%" in said
    assert "10.0 times fewer weights it keeps 93.8%" in said  # 0.75 / 0.8
    assert "reaches 70.0%: the teacher gave it 5.0 points, but" in said
    assert "do not prove the difference" in said


def test_a_difference_that_is_proven_is_not_doubted(run_folder):
    def change(results):
        for row, accuracy in zip(results["rows"], (0.9, 0.6, 0.8, 0.8), strict=True):
            row |= {"accuracy": accuracy}
            row["accuracy_ci95"] = [accuracy - 0.01, accuracy + 0.01]

    said = " ".join(_sentences.summary(rewrite(run_folder, change)))
    assert "the teacher gave it 20.0 points." in said


def test_runs_are_compared_only_on_the_same_data(run_folder, tmp_path):
    runs = [report.read_run(run_folder)]
    for name in ("digits", "npz:other.npz"):
        folder = shutil.copytree(run_folder, tmp_path / name.replace(":", "_"))
        settings = {"data": name}
        runs.append(
            rewrite(
                folder, lambda results, given=settings: results.update(settings=given)
            )
        )
    same = " ".join(_sentences.compared([runs[0], report.read_run(run_folder)]))
    assert "interval of run overlaps that of the best" in same
    different = " ".join(_sentences.compared(runs))
    assert "tested on different data (digits, npz:other.npz)" in different
    assert "overlaps" not in different


def test_the_command_has_what_the_run_was_told(run_folder):
    settings = {"student": "auto", "data": "folder:my photos", "alpha": 0.1}
    settings |= {"flip": True, "crop": 0, "limits": {"max_size_bytes": 13000}}
    settings |= {"depths": [1.0, 0.5]}
    run = rewrite(run_folder, lambda results: results.update(settings=settings))
    assert _reproduce.command(run) == (
        "keras-kd distill --teacher TEACHER.keras --student auto "
        "--data 'folder:my photos' --alpha 0.1 --max-size 13000 --depth 1.0 "
        "--depth 0.5 --flip --seed 0"
    )


def test_the_command_of_the_demo_has_its_seed(run_folder):
    run = rewrite(run_folder, lambda results: results.update(seed=7))
    assert _reproduce.command(run) == "keras-kd demo --seed 7"
    run = rewrite(run_folder, lambda results: results.pop("seed"))
    assert _reproduce.command(run) is None


def test_sizes_and_times_are_for_people():
    sizes = [_sentences.size(size) for size in (999, 10_432, 2_500_000)]
    assert sizes == ["999 B", "10.4 kB", "2.5 MB"]
    times = [_sentences.time(time_ms) for time_ms in (0.00103, 2.5, 1500)]
    assert times == ["1.03 µs", "2.5 ms", "1.5 s"]

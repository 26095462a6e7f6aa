"""The command line on a folder of 224 pixel photos of 1,000 classes."""

import json

import pytest

from tests.cli.command import run
from tests.real_size import CLASSES


@pytest.mark.slow
def test_photos_are_distilled_exported_and_verified(
    photo_folder, mobilenet_v2, small_mobilenet, tmp_path
):
    for name, model in (("teacher", mobilenet_v2), ("small", small_mobilenet)):
        model.save(tmp_path / f"{name}.keras")
    out = tmp_path / "run"
    data = ("--data", f"folder:{photo_folder}", "--image-size", 96)
    models = ("--teacher", tmp_path / "teacher.keras")
    models += ("--student", tmp_path / "small.keras")
    train = ("--epochs", 1, "--flip", "--crop", 8, "--out", out)
    shown = run("distill", *models, *data, *train)
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert [row["params"] for row in rows] == [
        model.count_params() for model in (mobilenet_v2, small_mobilenet)
    ]
    assert f"--data folder:{photo_folder} --image-size 96" in shown

    run("export", out / "student.keras", "--precision", "int8", *data, "--out", out)
    file = out / "student-int8.tflite"
    manifest = json.loads(file.with_suffix(".json").read_text())
    assert manifest["labels"] == [f"class {number:04d}" for number in range(CLASSES)]
    assert manifest["input"]["shape"] == [1, 96, 96, 3]
    assert manifest["size_bytes"] == file.stat().st_size > 1_600_000

    found = tmp_path / "found.json"
    run("verify", file, "--model", out / "student.keras", *data, "--json", found)
    verified = json.loads(found.read_text())
    assert verified["examples"] == 300
    student = next(row for row in rows if row["kind"] == "distilled")
    assert verified["keras_accuracy"] == pytest.approx(student["accuracy"])

"""What the documents say is what was measured, and what they show runs."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

ROOT = Path(__file__).parent.parent
EXPORT = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
STUDENTS = (ROOT / "docs" / "students.md").read_text(encoding="utf-8")
EXPLAIN = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
DEVICES = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
TABLES = {
    "export_routes": ("export_routes", "table", EXPORT),
    "export_matrix": ("_export_matrix_table", "table", EXPORT),
    "quantization": ("_quantization_table", "table", EXPORT),
    "student_sizes": ("_student_sizes_table", "table", STUDENTS),
}


@pytest.mark.parametrize("result", TABLES)
def test_table_is_that_of_the_result_file(result, monkeypatch):
    module, function, document = TABLES[result]
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    table = getattr(importlib.import_module(module), function)
    results = json.loads((ROOT / f"benchmarks/results/{result}.json").read_text())
    assert "\n".join(table(results)) in document


@pytest.mark.parametrize("data", ["digits", "cifar10_small"])
def test_table_of_devices_is_that_of_the_result_file(data, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    table = importlib.import_module("_devices_table").table
    results = json.loads((ROOT / "benchmarks/results/devices.json").read_text())
    assert "\n".join(table(results[data])) in DEVICES


@pytest.mark.parametrize("name", sorted(path.name for path in DOCUMENTS))
def test_python_blocks_import_what_there_is(name):
    """A quick look; that they run is a slow test of each document."""
    (document,) = (path for path in DOCUMENTS if path.name == name)
    blocks = re.findall(r"```python\n(.*?)```", document.read_text("utf-8"), re.S)
    tree = ast.parse("\n".join(blocks))
    imports = (ast.Import, ast.ImportFrom)
    found = [one for one in ast.walk(tree) if isinstance(one, imports)]
    exec(compile(ast.Module(found, []), str(document), "exec"), {})


@pytest.mark.slow
def test_first_block_runs(tmp_path):
    block = re.findall(r"```python\n(.*?)```", EXPORT, re.S)[0]
    result = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "accuracy of the file" in result.stdout
    assert (tmp_path / "student_model.h").exists()


@pytest.mark.slow
def test_blocks_of_students_run_in_order(tmp_path):
    program = "\n".join(re.findall(r"```python\n(.*?)```", STUDENTS, re.S))
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "chosen" in result.stdout
    assert (tmp_path / "budget.png").exists()


@pytest.mark.slow
def test_blocks_of_explain_run_and_tensorboard_can_read_what_they_write(tmp_path):
    program = "\n".join(re.findall(r"```python\n(.*?)```", EXPLAIN, re.S))
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "distilled: rank correlation" in result.stdout
    assert (tmp_path / "curves.png").exists()
    assert (tmp_path / "maps.png").exists()
    board = tmp_path / "runs" / "board"
    pictures = written_to(board / "maps")
    assert [tag for tag, _ in pictures].count("where they look") == 5
    assert [tag for tag, _ in pictures].count("results") == 5
    scalars = [tag for tag, _ in written_to(board / "train")]
    assert scalars.count("epoch_loss") == 5
    assert scalars.count("epoch_accuracy") == 5


def written_to(folder):
    """Tags and steps in the event files of a folder."""
    return [
        (value.tag, event.step)
        for path in folder.glob("*tfevents*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]


def test_gain_of_the_teachers_channels_is_that_of_the_result_file():
    results = json.loads((ROOT / "benchmarks/results/student_sizes.json").read_text())
    gains = [
        student["recipes"]["distilled_from_teacher_weights"]["more_than_distilled"]
        for student in results["students"].values()
    ]
    means = [gain["mean"] for gain in gains]
    said = f"{min(means):.1f} to {max(means):.1f} points"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert said in STUDENTS
    assert said in readme
    assert min(min(gain["seeds"]) for gain in gains) > 0


LINKS = re.findall(r"\]\(([^)]+)\)", EXPORT + STUDENTS + DEVICES + EXPLAIN)


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_link_leads_somewhere(link):
    assert link.startswith("https://") or (ROOT / "docs" / link).exists()

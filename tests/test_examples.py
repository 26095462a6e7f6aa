"""Every file in examples/ runs."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.distiller.workers import ended, start

ROOT = Path(__file__).parent.parent


@pytest.fixture
def images(tmp_path):
    generator = np.random.default_rng(0)
    for label, level in (("dark", 40), ("light", 200)):
        folder = tmp_path / "images" / "train" / label
        folder.mkdir(parents=True)
        for number in range(40):
            image = generator.normal(level, 20, (16, 16, 3)).clip(0, 255)
            keras.utils.save_img(folder / f"{number}.png", image, scale=False)
    return tmp_path / "images"


def run(name, *arguments):
    result = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


@pytest.mark.slow
def test_digits(tmp_path):
    output = run("01_digits.py", tmp_path)
    assert re.search(r"accuracy of the file +9\d\.\d\d %.*n = 540", output)
    assert "measured_on='host CPU" in output
    assert (tmp_path / "student.json").exists()


def test_digits_is_short():
    lines = (ROOT / "examples" / "01_digits.py").read_text().splitlines()
    assert len(lines) < 40


@pytest.mark.slow
def test_your_own_images(images, tmp_path):
    out = tmp_path / "out"
    output = run(
        "02_your_own_images.py", f"folder:{images}", "--epochs", 3, "--out", out
    )
    assert "classes ('dark', 'light')" in output
    assert (out / "student-int8.tflite").exists()


@pytest.mark.slow
def test_an_ensemble_is_compressed_into_a_student_better_than_most_members():
    printed = re.findall(r"^(\w+).*: +(\d\.\d+)$", run("03_ensemble.py"), re.M)
    assert [name for name, _ in printed] == ["member"] * 3 + ["ensemble", "student"]
    *members, ensemble, student = (float(accuracy) for _, accuracy in printed)
    assert sorted(members)[1] < student
    assert max(members) < ensemble


@pytest.mark.slow
def test_several_workers_train_one_student(tmp_path):
    program = ROOT / "examples" / "04_several_workers.py"
    run(program.name, "teacher", tmp_path)
    workers = start(program, "student", tmp_path)
    (first, errors), (second, _) = ended(workers)
    assert [worker.returncode for worker in workers] == [0, 0], errors
    assert first == second
    assert float(first.split()[-1]) > 0.9
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["student.keras"]


@pytest.mark.slow
def test_student_for_a_microcontroller_keeps_its_accuracy_in_four_bits(tmp_path):
    output = run("05_quantization_aware.py", tmp_path)
    found = re.search(r"accuracy of the file +(\d\d\.\d\d) %", output)
    assert float(found[1]) > 95
    assert "student_model.h, student_model.c" in output
    assert (tmp_path / "student_model.c").exists()


@pytest.mark.slow
def test_student_within_a_budget(tmp_path):
    output = run("06_to_a_budget.py", tmp_path)
    size = (tmp_path / "student.tflite").stat().st_size
    assert size <= 12_000
    assert f"{size:,} bytes of 12,000" in output
    found = re.search(r"accuracy of the file +(\d\d\.\d\d) %", output)
    assert float(found[1]) > 90
    assert (tmp_path / "budget.png").read_bytes().startswith(b"\x89PNG")


def percentages(line):
    return [float(found) for found in re.findall(r"(\d+\.\d)%", line)]


@pytest.mark.slow
def test_a_class_never_shown():
    teacher, student, corrected = run("07_a_class_never_shown.py").splitlines()
    assert min(percentages(teacher)) > 90
    assert percentages(student)[1] < percentages(corrected)[1]
    assert percentages(corrected)[1] > 60


@pytest.mark.release
def test_few_labels():
    teacher, alone, student = map(percentages, run("08_few_labels.py").splitlines())
    assert student[0] > alone[0]
    assert teacher[0] > 80


@pytest.mark.release
def test_temperature():
    teacher, *students = run("09_temperature.py").splitlines()
    assert percentages(teacher)[0] > 95
    bits = [float(re.search(r"(\d\.\d\d) bits", line)[1]) for line in students]
    assert bits == sorted(bits)
    assert min(percentages(line)[0] for line in students) > 80


def test_there_is_a_test_for_every_example():
    names = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
    assert names == [
        "01_digits.py",
        "02_your_own_images.py",
        "03_ensemble.py",
        "04_several_workers.py",
        "05_quantization_aware.py",
        "06_to_a_budget.py",
        "07_a_class_never_shown.py",
        "08_few_labels.py",
        "09_temperature.py",
    ]

"""The page as a browser shows it."""

import contextlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_kd
from keras_kd import report
from keras_kd._checks import InvalidInputError
from keras_kd.benchmark._browser_packages import find_node, packages_folder
from tests.benchmark.browser_tools import WEB, need_browser
from tests.report.conftest import HOSTILE

LOOK = Path(__file__).with_name("look.mjs")
MOST_BYTES = 5_000_000


@contextlib.contextmanager
def browser():
    """A function that gives what is to see of a plan, see look.mjs."""
    need_browser()
    packages = packages_folder("browser", WEB)
    with subprocess.Popen(
        [find_node("browser"), LOOK, WEB, packages],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def look(**plan):
            process.stdin.write(json.dumps(plan) + "\n")
            process.stdin.flush()
            seen = json.loads(process.stdout.readline())
            assert "failure" not in seen, seen["failure"]
            return seen

        try:
            yield look
        finally:
            process.stdin.close()
            process.wait(60)


@pytest.fixture(scope="module")
def look():
    with browser() as look:
        yield look


@pytest.fixture(scope="module")
def page(whole_run, hostile_data, tmp_path_factory):
    """The page of a whole run, on data that wish it ill."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    return report.write_report(whole_run, path, data=hostile_data)


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_whole_at_every_width(look, page, width, scheme):
    seen = look(file=str(page), width=width, scheme=scheme)
    assert seen["errors"] == []
    assert seen["requests"] == [page.as_uri()]
    assert seen["width"] == width
    assert seen["cut"] == 0
    assert seen["smallest"] >= 12
    assert len(seen["figures"]) >= 7
    assert min(seen["figures"]) > 70
    assert len(seen["sizes"]) > 20
    assert all(width > 0 and height > 0 for width, height in seen["sizes"])
    assert seen["twice"] == []


@pytest.mark.slow
def test_dark_and_paper_have_their_colours(look, page):
    def lightness(colour):
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    for scheme, media, is_dark in (
        ("light", "screen", False),
        ("dark", "screen", True),
        ("dark", "print", False),
    ):
        seen = look(file=str(page), scheme=scheme, media=media)
        assert (lightness(seen["page"]) < 128) == is_dark
        assert abs(lightness(seen["ink"]) - lightness(seen["page"])) > 180


@pytest.mark.slow
def test_names_from_data_stay_text(look, page):
    seen = look(file=str(page))
    assert not seen["isHacked"]
    assert seen["scripts"] == 0
    # Figures show the beginning of a long name.
    for name in HOSTILE:
        assert name[:20] in seen["all"]
    assert "<b>whole" in seen["text"]


@pytest.mark.slow
def test_page_says_what_it_shows(look, page, whole_run):
    text = look(file=str(page))["text"]
    for title in (
        "Results",
        "What accuracy costs",
        "Which class was taken for which",
        "Whom the teacher helped",
        "What the teacher's soft targets say",
        "As sure as right?",
        "Where they look",
        "How to reproduce it",
    ):
        assert title in text
    rows = json.loads((whole_run / "results.json").read_text())["rows"]
    for row in rows:
        assert f"{row['accuracy']:.1%}" in text
    assert "keras-kd demo --seed 0" in text
    assert keras.__version__ in text
    assert page.stat().st_size < MOST_BYTES


@pytest.mark.slow
def test_runs_are_compared(look, whole_run, tmp_path):
    other = shutil.copytree(whole_run, tmp_path / f"other_{'long' * 20}")
    path = report.write_report([whole_run, other], tmp_path / "report.html")
    seen = look(file=str(path), width=390)
    assert "2 runs compared" in seen["text"]
    assert f"{other.name}: distilled" in seen["text"]
    assert "<b>whole: distilled" in seen["text"]
    assert seen["width"] == 390
    assert seen["twice"] == []


@pytest.mark.slow
def test_runs_of_one_name_are_told_apart(whole_run, tmp_path):
    for parent in ("a", "b"):
        shutil.copytree(whole_run, tmp_path / parent / "run")
    folders = [tmp_path / parent / "run" for parent in ("a", "b")]
    text = report.write_report(folders, tmp_path / "report.html").read_text()
    for folder in folders:
        assert f"{folder}: distilled" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (["results.json"], "There are no results"),
        (["teacher.keras"], "No teacher.keras"),
        (["scratch.keras"], "No scratch.keras"),
        (["distilled.keras"], "No student.keras or distilled.keras"),
        (["student-float32.tflite"], "No .tflite file"),
        (["student-float32.json"], "No student-float32.json"),
        (["teacher.keras", "distilled.keras", "scratch.keras"], "there is no"),
    ],
)
def test_missing_parts_are_said_to_be_missing(run_folder, hostile_data, gone, said):
    for name in gone:
        (run_folder / name).unlink()
    path = run_folder / "report.html"
    text = report.write_report(run_folder, path, data=hostile_data).read_text()
    assert said in text
    assert "How to reproduce it" in text


def test_a_file_that_is_no_model_is_said(run_folder, hostile_data):
    (run_folder / "teacher.keras").write_bytes(b"not a model")
    path = run_folder / "report.html"
    text = report.write_report(run_folder, path, data=hostile_data).read_text()
    assert "teacher.keras is not shown" in text
    assert "As sure as right?" in text


def test_another_data_set_is_said(run_folder, digits):
    path = run_folder / "report.html"
    text = report.write_report(run_folder, path, data=digits).read_text()
    assert "it has 5 classes, the data 10" in text


@pytest.mark.slow
def test_a_teacher_of_elsewhere_is_shown_if_it_is_the_one(run_folder, hostile_data):
    teacher = run_folder.parent / "elsewhere.keras"
    shutil.move(run_folder / "teacher.keras", teacher)
    path = run_folder / "report.html"
    options = {"data": hostile_data, "teacher": teacher}
    assert (
        "Whom the teacher helped</h3>"
        in report.write_report(run_folder, path, **options).read_text()
    )
    results = json.loads((run_folder / "results.json").read_text())
    results["settings"] = {"teacher": "0" * 64}
    (run_folder / "results.json").write_text(json.dumps(results))
    text = report.write_report(run_folder, path, **options).read_text()
    assert "not the teacher of this run" in text
    assert "Whom the teacher helped</h3>" not in text


def test_learning_curves_are_shown_where_they_were_kept(run_folder, tmp_path):
    path = tmp_path / "report.html"
    assert "No learning curves" in report.write_report(run_folder, path).read_text()
    (run_folder / "distilled.csv").write_text("epoch,accuracy,loss\n0,0.5,2\n1,0.6,1\n")
    text = report.write_report(run_folder, path).read_text()
    assert "Learning curves</h3>" in text
    assert "No learning curves" not in text


@pytest.mark.slow
def test_same_run_same_page(whole_run, tmp_path):
    pages = [
        report.write_report(whole_run, tmp_path / f"{name}.html").read_bytes()
        for name in "ab"
    ]
    assert pages[0] == pages[1]


def test_a_page_that_cannot_be_made_leaves_the_old_one(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(InvalidInputError, match="folder of a run"):
        report.write_report(tmp_path / "nothing", path)
    with pytest.raises(InvalidInputError, match="none"):
        report.write_report([], path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_data_that_are_no_images_have_a_page_without_pictures_of_them(tmp_path):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 6)).astype("float32")
    np.savez(tmp_path / "table.npz", x=x, y=x[:, :3].argmax(1))
    table = keras_kd.data.load(f"npz:{tmp_path / 'table.npz'}")
    run = tmp_path / "run"
    run.mkdir()
    for name, units in {"teacher": 16, "distilled": 4}.items():
        layers = [keras.Input((6,)), keras.layers.Dense(units, activation="relu")]
        keras.Sequential([*layers, keras.layers.Dense(3)]).save(run / f"{name}.keras")
    page = report.write_report(run, tmp_path / "report.html", data=table).read_text()
    assert "Which class was taken for which" in page
    assert "soft targets say" in page
    assert "Where they look" not in page
    assert "the data are no images" in page

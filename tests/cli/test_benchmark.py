"""`keras-kd benchmark` as a person uses it."""

import csv
import json
import os

import keras
import pytest

from keras_kd.benchmark import BOARDS
from keras_kd.export import convert
from keras_kd.students import convnet
from tests.cli import command

# Nobody listens at port 1: a board that is switched off.
NOWHERE = "ssh:nobody@127.0.0.1:1"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two students of digits that have learnt nothing, as float32 files."""
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for width in (4, 12):
        keras.utils.set_random_seed(width)
        model = convnet((8, 8, 1), 10, width=width)
        paths.append(folder / f"width_{width}-float32.tflite")
        convert(model, paths[-1], precision="float32")
    return paths


def outcome(*arguments, code=0):
    """What is on the screen, and in the errors, of a command that ends with `code`."""
    stdout, stderr = command.outcome("benchmark", *arguments, code=code)
    lines = [x for x in stdout.splitlines() if not x.startswith("Written to")]
    assert max(map(len, lines), default=0) <= 80
    return stdout, stderr


@pytest.mark.slow
def test_table_says_what_was_measured_where(files, tmp_path):
    out = tmp_path / "out"
    options = ("--data", "digits", "--examples", 30, "--runs", 20, "--rounds", 5)
    shown, _ = outcome(*files, *options, "--profile", "--out", out)
    rows = json.loads((out / "benchmark.json").read_text())["rows"]
    for row in rows:
        (line,) = (x for x in shown.splitlines() if x.startswith(f"  {row['model']}-"))
        score = "{:.1f} ({:.1f}-{:.1f})".format(
            *(100 * row[f"accuracy{part}"] for part in ("", "_ci95_low", "_ci95_high"))
        )
        for cell in (f"{row['size_bytes'] / 1000:.1f}", score, f"{row['p50_ms']:.4f}"):
            assert cell in line
        assert (row["examples"], row["runs"]) == (30, 20)
    assert "Scored on 30 test examples of digits" in shown
    assert "host: host CPU" in shown
    assert f"{os.cpu_count()} cores" in shown
    assert "the operations were not timed" in " ".join(shown.split())
    (compared,) = json.loads((out / "comparison.json").read_text())
    assert f"{compared['files'][1]['ratio']:.3f}" in shown
    with (out / "benchmark.csv").open(newline="", encoding="utf-8") as file:
        assert [row["file"] for row in csv.DictReader(file)] == list(map(str, files))
    assert (out / "benchmark.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_target_that_fails_is_one_line_and_others_still_run(files, tmp_path):
    shown, errors = outcome(
        *files, "--target", f"{NOWHERE},host", "--out", tmp_path, code=2
    )
    (line,) = errors.strip().splitlines()
    assert line.startswith(f"Error {NOWHERE}")
    assert "host: host CPU" in shown
    written = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert [bool(row["failure"]) for row in written] == [True, True, False, False]


@pytest.mark.slow
def test_with_no_target_left_there_is_no_table(files):
    shown, errors = outcome(files[0], "--target", NOWHERE, code=2)
    assert "p50" not in shown
    assert len(errors.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "5"], "two files with --rounds"),
        (["--data", "digit"], 'Did you mean "digits"'),
    ],
)
def test_bad_input_is_one_line_and_nothing_runs(files, arguments, message):
    shown, errors = outcome(files[0], *arguments, code=2)
    (line,) = errors.strip().splitlines()
    assert message in line
    assert "host CPU" not in shown


def test_microcontroller_says_on_which_boards_a_file_fits(tmp_path):
    inputs = keras.Input((400,))
    model = keras.Model(inputs, keras.layers.Dense(400)(inputs))
    path = tmp_path / "wide-float32.tflite"
    convert(model, path, precision="float32")
    shown, _ = outcome(path, "--target", "microcontroller")
    shown = " ".join(shown.split())
    assert "wide-float32 needs FULLY_CONNECTED;" in shown
    # 640,000 bytes of weights: more than half a megabyte of flash, less than one.
    fitting, *others = shown.split("fits ")[1].split("does not fit ")
    for board in BOARDS:
        assert (board.name in fitting) == (board.flash_bytes > 640_000)
    assert len(others) == sum(board.flash_bytes < 640_000 for board in BOARDS)
    assert all("bytes of flash, and there are 524,288" in other for other in others)

"""`keras-kd inspect`, `check` and `distill --target` as a person uses them."""

import keras
import pytest
from keras import layers

from keras_kd.export import convert, inspect
from tests.cli.command import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A student that runs everywhere, one that does not, and a file of the first."""
    folder = tmp_path_factory.mktemp("models")
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    small = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)), name="small")
    small.save(folder / "small.keras")
    convert(small, folder / "small.tflite", precision="float32")
    rows = layers.Reshape((8, 8))(inputs)
    x = layers.LSTM(4, name="reader")(rows)
    loop = keras.Model(inputs, layers.Dense(10)(x), name="loop")
    loop.save(folder / "loop.keras")
    convert(loop, folder / "loop.tflite", precision="float32")
    return folder


def test_inspect_shows_what_the_library_says(folder):
    for name in ("small", "loop"):
        found = inspect(folder / f"{name}.tflite")
        shown = run("inspect", folder / f"{name}.tflite")
        assert max(map(len, shown.splitlines())) <= 80
        for number in (found.macs, found.parameters, found.arena_bytes):
            assert f"{number:,}" in shown
        assert all(one.name in shown for one in found.operations)
    assert "WHILE in reader" in shown


def test_inspect_of_a_damaged_file_is_one_line(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"nothing")
    message = run("inspect", path, code=2)
    assert "whole .tflite file" in message
    assert len(message.splitlines()) == 1


def test_check_tells_and_its_exit_code_too(folder):
    shown = run("check", folder / "small.keras", "--target", "microcontroller")
    assert "small runs on the target microcontroller" in shown
    assert "Note reader: WHILE." in run("check", folder / "loop.keras")


@pytest.mark.slow
def test_check_lists_problems_with_exit_code_1(folder):
    arguments = ("check", folder / "loop.keras", "--target", "microcontroller")
    shown = run(*arguments, code=1)
    assert "Problem reader: WHILE." in shown
    assert "unroll=True" in shown
    assert "will not run on the target microcontroller" in shown
    small = ("check", folder / "small.keras", "--target", "microcontroller")
    assert "arena" in run(*small, "--ram", "1kB", code=1)


@pytest.mark.parametrize("ram", ["much", "0", "-1", "64 pounds"])
def test_ram_that_is_no_size(folder, ram):
    arguments = ("check", folder / "small.keras", "--target", "microcontroller")
    assert "--ram as 250000" in run(*arguments, f"--ram={ram}", code=2)


@pytest.mark.slow
def test_distill_stops_before_it_reads_the_teacher(folder, tmp_path):
    """The teacher is no Keras file, which loading it would tell."""
    teacher = tmp_path / "teacher.keras"
    teacher.write_bytes(b"no model")
    arguments = ("distill", "--teacher", teacher, "--out", tmp_path / "run")
    student = ("--student", folder / "loop.keras", "--target", "microcontroller")
    assert "Problem reader: WHILE." in run(*arguments, *student, code=1)
    assert not (tmp_path / "run").exists()
    student = ("--student", folder / "small.keras", "--target", "microcontroller")
    assert ".keras file" in run(*arguments, *student, "--ram", "64kB", code=2)
    message = run(*arguments, "--student", folder / "small.keras", "--ram=1k", code=2)
    assert "--target with --ram" in message

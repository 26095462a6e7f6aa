"""`keras-kd shrink` as a person uses it."""

import keras
import numpy as np
import pytest

from keras_kd.students import convnet, shrink
from tests.cli.command import run


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The path of a teacher, and the teacher."""
    path = tmp_path_factory.mktemp("models") / "teacher.keras"
    model = convnet((8, 8, 1), 10, width=32)
    model.save(path)
    return path, model


def test_student_is_that_of_the_library(teacher, tmp_path):
    path, model = teacher
    out = tmp_path / "new" / "student.keras"
    shown = run("shrink", path, "--width", 0.25, "--out", out)
    student = keras.models.load_model(out)
    expected = shrink(model, width=0.25, init="teacher")
    assert student.name == expected.name
    for mine, theirs in zip(student.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert f"{expected.count_params():,} weights" in shown
    assert f"{model.count_params():,}" in shown


@pytest.mark.slow
def test_channels_are_chosen_on_data_and_the_target_is_checked(teacher, tmp_path):
    out = tmp_path / "student.keras"
    path = teacher[0]
    more = ("--data", "digits", "--target", "microcontroller", "--ram", "64KiB")
    shown = run("shrink", path, "--width", 0.5, *more, "--out", out)
    assert "runs on the target microcontroller" in shown
    assert out.exists()
    out = tmp_path / "large.keras"
    more = ("--target", "microcontroller", "--ram", "2k", "--out", out)
    run("shrink", path, "--width", 0.5, *more, code=1)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--width", 0], "`width` above 0"),
        (["--depth", 0.5], "repeated residual blocks"),
        (["--init", "best"], "one of 'random'"),
        (["--out", "student.h5"], "--out that ends in .keras"),
        (["--ram", "64k"], "--target with --ram"),
        (["--init", "random", "--data", "digits"], '`data` with init="teacher" only'),
    ],
)
def test_unusable_options_are_one_line(teacher, options, message, tmp_path):
    out = ["--out", tmp_path / "s.keras"] if "--out" not in options else []
    line = run("shrink", teacher[0], *options, *out, code=2)
    assert len(line.strip().splitlines()) == 1
    assert message in line
    assert not list(tmp_path.iterdir())

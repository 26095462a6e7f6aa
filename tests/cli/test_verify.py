"""`keras-kd verify`: what it shows, writes, and tells the shell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from keras_kd.export import convert, verify
from keras_kd.students import convnet

COMMAND = Path(sys.executable).parent / "keras-kd"
ENVIRONMENT = {**os.environ, "COLUMNS": "80"}


def run(*arguments):
    return subprocess.run(
        [COMMAND, "verify", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )


@pytest.fixture(scope="module")
def files(digits, tmp_path_factory):
    """A student that knows a little, as .keras and as a coarse .tflite file."""
    folder = tmp_path_factory.mktemp("files")
    keras.utils.set_random_seed(0)
    student = convnet((8, 8, 1), 10, width=6)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    student.compile(keras.optimizers.Adam(0.02), loss)
    student.fit(*digits.train.arrays(), epochs=2, verbose=0)
    student.save(folder / "student.keras")
    options = {"precision": "int4_weights", "labels": digits.class_names}
    convert(student, folder / "student.tflite", **options)
    return folder / "student.tflite", folder / "student.keras"


def test_details_and_json_say_what_verify_found(files, digits, tmp_path):
    tflite, model = files
    out = tmp_path / "found.json"
    done = run(tflite, "--model", model, "--details", "--json", out)
    assert done.returncode == 0, done.stderr
    expected = verify(tflite, keras.models.load_model(model), digits.test)
    assert json.loads(out.read_text()) == json.loads(expected.to_json())
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]
    lines = done.stdout.splitlines()
    shown = [line for line in lines if not line.startswith("Written to")]
    assert max(map(len, shown)) <= 80
    for name, value in expected.lines():
        assert any(name in line and value in line for line in lines)
    most_certain = expected.flips[0]
    cells = [f"{most_certain.index}", f"({most_certain.keras_confidence:.0%})"]
    assert any(all(cell in line.split() for cell in cells) for line in lines)
    worst = expected.worst_layer
    rows = [line.split() for line in lines if line.split()[:1] == [worst.layer]]
    assert rows[-1][-2:] == [f"{worst.error:.2%}", f"{worst.added:+.2%}"]


def test_too_low_an_accuracy_is_exit_code_1_and_one_line(files, tmp_path):
    tflite, model = files
    out = tmp_path / "found.json"
    done = run(tflite, "--model", model, "--fail-below", 0.999, "--json", out)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "below 99.90%" in line
    assert "95 % interval" in line
    assert "accuracy of the file" in done.stdout
    # What was found is written all the same: one will want to know why.
    assert json.loads(out.read_text())["accuracy"] < 0.999
    assert run(tflite, "--model", model, "--fail-below", 0.1).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail-below", "95"], "number in [0, 1]"),
        (["--json", "missing/found.json"], "Make the folder first"),
    ],
)
def test_unusable_options_are_exit_code_2_and_one_line(files, options, message):
    tflite, model = files
    done = run(tflite, "--model", model, *options)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert message in line

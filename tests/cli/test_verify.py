"""`keras-kd verify`: what it shows, writes, and tells the shell."""

import json

import keras
import pytest

from keras_kd.export import convert, verify
from keras_kd.students import convnet
from tests.cli.command import outcome, run


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


@pytest.mark.slow
def test_details_and_json_say_what_verify_found(files, digits, tmp_path):
    tflite, model = files
    out = tmp_path / "found.json"
    stdout = run("verify", tflite, "--model", model, "--details", "--json", out)
    expected = verify(tflite, keras.models.load_model(model), digits.test)
    assert json.loads(out.read_text()) == json.loads(expected.to_json())
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]
    lines = stdout.splitlines()
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


@pytest.mark.slow
def test_too_low_an_accuracy_is_exit_code_1_and_one_line(files, tmp_path):
    tflite, model = files
    out = tmp_path / "found.json"
    arguments = ("verify", tflite, "--model", model)
    options = ("--fail-below", 0.999, "--json", out)
    stdout, stderr = outcome(*arguments, *options, code=1)
    [line] = stderr.splitlines()
    assert "below 99.90%" in line
    assert "95 % interval" in line
    assert "accuracy of the file" in stdout
    # What was found is written all the same: one will want to know why.
    assert json.loads(out.read_text())["accuracy"] < 0.999
    run(*arguments, "--fail-below", 0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail-below", "95"], "number in [0, 1]"),
        (["--json", "missing/found.json"], "Make the folder first"),
    ],
)
def test_unusable_options_are_exit_code_2_and_one_line(files, options, message):
    tflite, model = files
    [line] = run("verify", tflite, "--model", model, *options, code=2).splitlines()
    assert message in line

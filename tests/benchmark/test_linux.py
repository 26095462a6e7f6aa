"""The C program answers as LiteRT's Python does, and says in one line what is wrong."""

import json
import subprocess

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_kd.benchmark import linux
from keras_kd.benchmark._linux_build import built_program
from keras_kd.benchmark.golden import write_golden
from keras_kd.benchmark.measurement import DeviceError
from keras_kd.benchmark.request import Request
from keras_kd.export import convert
from tests.programs import need


@pytest.fixture(scope="module")
def program():
    need("gcc", "make")
    return built_program("linux", linux.platform.machine())


@pytest.fixture
def digits_golden(digits_files, digits_test, tmp_path):
    """The golden file of the int8 digits student, and LiteRT's answers."""
    path = tmp_path / "digits.golden"
    return path, write_golden(path, digits_files["int8"], digits_test[0][:60])


def ended(*command):
    """The exit code, the lines on standard output, the lines on standard error."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def report(*command):
    code, printed, errors = ended(*command)
    assert (code, errors, len(printed)) == (0, [], 1)
    return json.loads(printed[0])


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("student", ["digits", "colour"])
def test_classes_are_those_of_the_host(program, student, precision, request, tmp_path):
    file = request.getfixturevalue(f"{student}_files")[precision]
    x, _ = request.getfixturevalue(f"{student}_test")
    expected = write_golden(tmp_path / "golden", file, x[:100])
    asked = Request(
        path=file, target="linux", golden=tmp_path / "golden", runs=30, warmup=3
    )
    measurement = linux.run(asked)
    assert measurement.outputs.dtype == expected.dtype
    np.testing.assert_array_equal(
        measurement.outputs.argmax(axis=1), expected.argmax(axis=1)
    )
    assert len(set(expected.argmax(axis=1))) > 5
    assert (measurement.runs, measurement.warmup) == (30, 3)
    times = [measurement.min_ms, measurement.p50_ms, measurement.p90_ms]
    assert 0 < times[0] <= times[1] <= times[2] <= measurement.p99_ms
    assert measurement.init_ms > measurement.min_ms
    assert measurement.peak_memory_bytes > file.stat().st_size
    assert measurement.measured_on.startswith("host CPU, C program, ")
    assert not measurement.is_emulated


def test_operations_of_the_file_are_timed(program, colour_files):
    asked = Request(path=colour_files["float32"], target="linux", profile=True)
    operations = linux.run(asked).operations
    names = " ".join(operation.name for operation in operations)
    assert names.count("Convolution") == 4
    assert "Fully Connected" in names
    assert sum(operation.ms for operation in operations) > 0


def test_agreement_counts_what_numpy_counts(program, digits_files, digits_golden):
    path, expected = digits_golden
    content = path.read_bytes()
    changed = expected.copy()
    # Three examples with another class.
    changed[:3] = np.roll(changed[:3], 1, axis=1)
    path.write_bytes(content[: -expected.nbytes] + changed.tobytes())
    golden = report(program, digits_files["int8"], "--golden", path)["golden"]
    assert golden["examples"] == len(expected)
    assert golden["same_class"] == np.sum(changed.argmax(1) == expected.argmax(1))
    assert golden["same_class"] == len(expected) - 3
    difference = np.abs(changed.astype(int) - expected.astype(int)).max()
    assert golden["max_difference"] == difference


@pytest.mark.parametrize(
    ("activation", "threshold"), [("sigmoid", 0.5), (None, 0.0)], ids=["half", "sign"]
)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_class_of_one_output(program, activation, threshold, precision, tmp_path):
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(1, activation=activation)]
    )
    x = np.random.default_rng(0).normal(size=(50, 8)).astype("float32")
    file, path = tmp_path / "one.tflite", tmp_path / "one.golden"
    convert(model, file, precision=precision, calibration_data=x)
    expected = write_golden(path, file, x)
    # Golden answers of the first 20 with the other sign, or on the other side of half.
    manifest = json.loads(file.with_suffix(".json").read_text())["output"]
    scale, zero = manifest.get("scale") or 1, manifest.get("zero_point") or 0
    real = (expected.astype("float64") - zero) * scale
    real[:20] = 2 * threshold - real[:20]
    stored = real / scale + zero
    if precision == "int8":
        stored = np.clip(np.round(stored), -128, 127)
    stored = stored.astype(expected.dtype)
    path.write_bytes(path.read_bytes()[: -stored.nbytes] + stored.tobytes())
    golden = report(program, file, "--golden", path)["golden"]
    sides = [
        (a.astype("float64") - zero) * scale > threshold for a in (expected, stored)
    ]
    assert golden["same_class"] == np.sum(sides[0] == sides[1])
    assert 25 < golden["same_class"] < 35


def test_name_of_the_file_is_valid_json(program, digits_files, tmp_path):
    file = tmp_path / 'a "student"\\\n\twith ü.tflite'
    file.write_bytes(digits_files["int8"].read_bytes())
    assert report(program, file)["file"] == str(file)


def _damaged(content):
    half = len(content) // 2
    return {
        "empty": b"",
        "text": b"not a model at all, only words " * 40,
        "cut": content[:half],
        "overwritten": content[:64] + b"\xff" * half + content[64 + half :],
    }


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "overwritten"])
def test_damaged_file_is_one_line(program, digits_files, kind, tmp_path):
    file = tmp_path / "damaged.tflite"
    file.write_bytes(_damaged(digits_files["float32"].read_bytes())[kind])
    code, printed, errors = ended(program, file)
    assert (code, printed, len(errors)) == (2, [], 1)
    assert "LiteRT" in errors[0]
    with pytest.raises(DeviceError, match=r"^linux: .*LiteRT"):
        linux.run(Request(path=file, target="linux"))


def test_any_damage_is_one_line_or_runs(program, digits_files, tmp_path):
    """LiteRT itself crashes on many of these files."""
    content = np.frombuffer(digits_files["int8"].read_bytes(), "uint8")
    generator = np.random.default_rng(0)
    file = tmp_path / "damaged.tflite"
    failures = []
    for _ in range(30):
        damaged = content.copy()
        places = generator.integers(0, 2000, 8)
        damaged[places] = generator.integers(0, 256, 8)
        file.write_bytes(damaged.tobytes())
        code, printed, errors = ended(program, file, "--runs", "1")
        assert (code, len(printed), len(errors)) in {(0, 1, 0), (2, 0, 1)}
        failures += errors
    assert any("crashed with signal" in line for line in failures)


def test_operation_that_litert_lacks_is_one_line(program, digits_files, tmp_path):
    file = tmp_path / "flex.tflite"
    content = bytearray(digits_files["float32"].read_bytes())
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"FlexErf"
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    file.write_bytes(builder.Output())
    code, printed, errors = ended(program, file)
    assert (code, printed, len(errors)) == (2, [], 1)
    assert "Select TensorFlow op(s)" in errors[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["no.tflite"], "cannot read no.tflite: No such file"),
        (["."], ". is not a file"),
        ([], "usage: run_student student.tflite"),
        (["FILE", "--threads"], "--threads needs a value"),
        (["FILE", "--threads", "0"], "--threads to be a whole number from 1 to 1024"),
        (
            ["FILE", "--runs", "2x"],
            "--runs to be a whole number from 1 to 10000000, got",
        ),
        (["FILE", "--warmup", "-1"], "--warmup to be a whole number from 0"),
        (["FILE", "--speed", "3"], "unknown option --speed"),
        (["FILE", "FILE"], "expected one file"),
        (["FILE", "--outputs", "x"], "give --golden FILE too"),
        (["FILE", "--golden", "no.golden"], "cannot read no.golden"),
        (["FILE", "--golden", "GOLDEN", "--outputs", "no/x"], "cannot write no/x"),
    ],
)
def test_wrong_command_line_is_one_line(
    program, digits_files, digits_golden, options, message
):
    names = {"FILE": digits_files["int8"], "GOLDEN": digits_golden[0]}
    code, printed, errors = ended(program, *(names.get(o, o) for o in options))
    assert (code, printed, len(errors)) == (2, [], 1)
    assert message in errors[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: b"", "is not a golden file of keras_kd"),
        (lambda content: b"KDGOLD02" + content[8:], "is not a golden file"),
        (lambda content: content[:-1], "is damaged: expected"),
        (lambda content: content + b"\0", "is damaged: expected"),
        (lambda content: content[:8] + b"\0" * 4 + content[12:24], "for 0 examples"),
        (lambda content: content[:8] + b"\xff" * 4 + content[12:], "is damaged"),
        (lambda content: content[:12] + b"\1" + content[13:], "is for an input of 1 "),
    ],
    ids=["empty", "magic", "cut", "longer", "none", "too many", "other input"],
)
def test_damaged_golden_file_is_one_line(
    program, digits_files, digits_golden, change, message
):
    path, _ = digits_golden
    path.write_bytes(change(path.read_bytes()))
    code, printed, errors = ended(program, digits_files["int8"], "--golden", path)
    assert (code, printed, len(errors)) == (2, [], 1)
    assert message in errors[0]


def test_golden_file_of_another_student_is_one_line(
    program, digits_files, colour_files, colour_test, tmp_path
):
    path = tmp_path / "colour.golden"
    write_golden(path, colour_files["float32"], colour_test[0][:2])
    asked = Request(path=digits_files["float32"], target="linux", golden=path)
    with pytest.raises(DeviceError, match="write the golden file from it") as error:
        linux.run(asked)
    assert "\n" not in str(error.value)

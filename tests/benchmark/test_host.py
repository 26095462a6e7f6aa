"""The program for this machine keeps the contract of export/README.md."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_kd.benchmark import DeviceError, _host_program, host, measure, write_golden
from keras_kd.benchmark.request import Request
from keras_kd.export import LiteRtModel

README = Path(__file__).parents[2] / "export" / "README.md"


def program(*arguments, code=0):
    result = subprocess.run(
        [sys.executable, "-P", _host_program.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stderr
    return result


def test_line_has_the_fields_of_the_contract(digits_files, digits_test, tmp_path):
    path, golden = digits_files["int8"], tmp_path / "golden"
    write_golden(golden, path, digits_test[0][:5])
    shown = program(path, "--golden", golden, "--runs", 30, "--warmup", 2).stdout
    (line,) = shown.splitlines()
    values = json.loads(line)
    table = README.read_text(encoding="utf-8").split("## The contract")[1]
    cells = re.findall(r"^\| (`.*?) \|", table.split("\n## ")[0], re.MULTILINE)
    fields = {name for cell in cells for name in re.findall(r"\w+", cell)}
    # Counted by an emulator only.
    assert set(values) == fields - {"instructions"}
    assert values["size_bytes"] == path.stat().st_size
    assert (values["runs"], values["warmup"], values["threads"]) == (30, 2, 1)
    assert values["golden"] == {"examples": 5, "same_class": 5, "max_difference": 0}


def test_golden_counts_what_differs(digits_files, digits_test, tmp_path):
    path, golden = digits_files["int8"], tmp_path / "golden"
    outputs = write_golden(golden, path, digits_test[0][:5]).astype(int)
    wrong = outputs.copy()
    wrong[3] = -100
    wrong[3, (outputs[3].argmax() + 1) % 10] = 100
    content = golden.read_bytes()
    golden.write_bytes(content[:-50] + wrong.astype("int8").tobytes())
    found = json.loads(program(path, "--golden", golden).stdout)["golden"]
    assert found["same_class"] == 4
    assert found["max_difference"] == np.abs(wrong - outputs).max()


@pytest.mark.quick_for("digits-float32", "digits-int8")
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("student", ["digits", "colour"])
def test_answers_are_those_of_litert(student, precision, request):
    path = request.getfixturevalue(f"{student}_files")[precision]
    x, y = request.getfixturevalue(f"{student}_test")
    found = measure(path, examples=x[:100], runs=5)
    assert found.outputs.dtype == precision
    classes = found.outputs.argmax(axis=-1)
    np.testing.assert_array_equal(classes, LiteRtModel(path)(x[:100]).argmax(axis=-1))
    assert (classes == y[:100]).mean() > 0.9


def test_percentiles_are_those_of_the_timed_runs(digits_files, monkeypatch, capsys):
    times = iter([0.0, 0.001] + [t for n in range(103) for t in (n, n + n / 1000)])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    _host_program.main([str(digits_files["int8"]), "--runs=101", "--warmup=2"])
    values = json.loads(capsys.readouterr().out)
    # The two warm-up runs took 0 and 1 ms; those that count 2, 3, …, 102 ms.
    for name, expected in (
        ("init", 1.0),
        ("min", 2.0),
        ("p50", 52.0),
        ("p90", 92.0),
        ("p99", 101.0),
    ):
        assert values[f"{name}_ms"] == pytest.approx(expected)


def test_memory_is_that_of_the_file_not_of_its_caller(digits_files):
    """This process has TensorFlow in memory."""
    peak = measure(digits_files["int8"], runs=1).peak_memory_bytes
    assert digits_files["int8"].stat().st_size < peak
    assert 2 * peak < _host_program.peak_memory_bytes()


@pytest.mark.parametrize("content", [b"", b"KDGOLD01", b"KDGOLD01" + bytes(500)])
def test_golden_of_another_file_is_one_line_and_exit_code_2(
    digits_files, tmp_path, content
):
    golden = tmp_path / "golden"
    golden.write_bytes(content)
    result = program(digits_files["int8"], "--golden", golden, code=2)
    assert "golden" in result.stderr.strip().splitlines()[-1]
    assert result.stdout == ""


def test_damaged_file_is_one_line_and_exit_code_2(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"no model")
    assert program(path, code=2).stdout == ""
    with pytest.raises(DeviceError, match=r"host: LiteRT could not run m\.tflite: "):
        host.run(Request(path, "host"))


def test_file_that_crashes_litert_is_an_error_of_one_line(tmp_path, monkeypatch):
    crash = tmp_path / "crash.py"
    crash.write_text("import os; os.kill(os.getpid(), 11)")
    monkeypatch.setattr(_host_program, "__file__", str(crash))
    with pytest.raises(DeviceError, match=r"could not run m\.tflite: code -11"):
        host.run(Request(tmp_path / "m.tflite", "host"))

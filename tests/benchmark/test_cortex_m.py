"""The plain C of students on an emulated Cortex-M4."""

import json
import subprocess

import numpy as np
import pytest

from keras_kd._checks import InvalidInputError
from keras_kd.benchmark import DeviceError, cortex_m, measure, write_golden
from keras_kd.benchmark._programs import export_folder
from keras_kd.benchmark.request import Request
from keras_kd.export import inspect, write_plain_c
from tests.programs import needs

emulated = needs("make", "arm-none-eabi-gcc", "qemu-system-arm")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder where temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.quick_for("digits")
@emulated
@pytest.mark.parametrize("student", ["digits", "colour"])
def test_same_classes_as_the_host_and_same_bytes_as_tflm(student, request):
    path = request.getfixturevalue(f"{student}_files")["int8"]
    x, y = request.getfixturevalue(f"{student}_test")
    found = measure(path, target="cortex-m4", examples=x[:60])
    host = measure(path, target="host", runs=1, warmup=0, examples=x[:60])
    micro = measure(path, target="microcontroller", examples=x[:60])
    classes = found.outputs.argmax(-1)
    np.testing.assert_array_equal(classes, host.outputs.argmax(-1))
    np.testing.assert_array_equal(found.outputs, micro.outputs)
    assert np.mean(classes == y[:60]) > 0.8
    assert found.is_emulated
    assert found.p50_ms is None


@emulated
def test_sizes_and_instructions(digits_files, tmp_path):
    path = digits_files["int8"]
    written = write_plain_c(path, tmp_path)
    found = measure(path, target="cortex-m4")
    assert found.arena_bytes == written.arena_bytes
    assert written.constant_bytes < found.flash_bytes < written.constant_bytes + 8192
    # A multiplication with accumulation takes two loads besides, at least.
    assert 3 * written.macs < found.instructions < 30 * written.macs
    # Counted, not timed: the same again, but for the 40 instructions of a tick.
    again = measure(path, target="cortex-m4")
    assert abs(again.instructions - found.instructions) <= 40


@needs("make", "gcc")
def test_program_on_a_pc_keeps_the_contract(digits_files, digits_test, tmp_path):
    path, (x, _) = digits_files["int8"], digits_test
    written = write_plain_c(path, tmp_path)
    expected = write_golden(tmp_path / "golden", path, x[:20])
    sources = export_folder("microcontroller") / "plain_c"
    command = ["make", "-s", "-C", sources, f"NETWORK={tmp_path}", f"OUT={tmp_path}"]
    subprocess.run([*command, "host"], check=True)
    options = ["--golden", "golden", "--outputs", "outputs"]
    done = subprocess.run(
        [tmp_path / "host", *options], cwd=tmp_path, capture_output=True, check=True
    )
    line = json.loads(done.stdout)
    answers = np.fromfile(tmp_path / "outputs", "int8").reshape(expected.shape)
    difference = np.abs(answers.astype(int) - expected)
    assert line["schema"] == 1
    assert line["arena_bytes"] == written.arena_bytes
    assert line["golden"] == {
        "examples": 20,
        "same_class": int((answers.argmax(-1) == expected.argmax(-1)).sum()),
        "max_difference": int(difference.max()),
    }
    assert "instructions" not in line
    done = subprocess.run(
        [tmp_path / "host", "--golden", "host"], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 2
    assert done.stderr == b"no golden inputs in host\n"


@emulated
def test_float_student_and_corrupt_file(digits_files, tmp_path, temporary):
    with pytest.raises(InvalidInputError, match="float32"):
        measure(digits_files["float32"], target="cortex-m4")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"TFL3" * 100)
    with pytest.raises(InvalidInputError, match=r"broken\.tflite"):
        cortex_m.run(Request(broken, "cortex-m4"))
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("tool", "package"),
    [
        ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
        ("qemu-system-arm", "qemu-system-arm"),
        ("make", "make"),
    ],
)
def test_missing_tool_is_named_with_its_package(
    digits_files, tmp_path, monkeypatch, tool, package
):
    for name in cortex_m._PACKAGES:
        if name != tool:
            (tmp_path / name).write_text("#!/bin/sh\n")
            (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=f"{tool} is not installed.*{package}") as e:
        measure(digits_files["int8"], target="cortex-m4")
    assert "\n" not in str(e.value)


@emulated
def test_programs_that_are_not_there(digits_files, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_KD_EXPORT", str(tmp_path))
    with pytest.raises(DeviceError, match="KERAS_KD_EXPORT"):
        measure(digits_files["int8"], target="cortex-m4")


@pytest.mark.slow
@emulated
def test_golden_inputs_of_another_file(digits_files, colour_files, tmp_path):
    golden = tmp_path / "golden"
    x = np.zeros((2, *inspect(colour_files["int8"]).inputs[0].shape[1:]))
    write_golden(golden, colour_files["int8"], x)
    with pytest.raises(DeviceError, match="no whole golden inputs"):
        cortex_m.run(Request(digits_files["int8"], "cortex-m4", golden=golden))


@emulated
@pytest.mark.parametrize("tool", ["make", "qemu-system-arm"])
def test_nothing_is_left_of_an_interruption(digits_files, temporary, monkeypatch, tool):
    real = subprocess.run

    def run(command, *arguments, **options):
        if command[0] == tool:
            raise KeyboardInterrupt
        return real(command, *arguments, **options)

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(KeyboardInterrupt):
        measure(digits_files["int8"], target="cortex-m4")
    assert list(temporary.iterdir()) == []


@emulated
def test_program_that_fails_says_so_in_a_line(digits_files, monkeypatch):
    monkeypatch.setattr(cortex_m, "_BOARD", ("-M", "none"))
    with pytest.raises(DeviceError, match="qemu-system-arm failed") as error:
        measure(digits_files["int8"], target="cortex-m4")
    assert "\n" not in str(error.value)

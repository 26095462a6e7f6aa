"""The C program gives the same classes on ARM64, under QEMU's emulation."""

import types

import numpy as np
import pytest

from keras_kd.benchmark import _linux_library, aarch64
from keras_kd.benchmark._linux_build import built_program
from keras_kd.benchmark.golden import write_golden
from keras_kd.benchmark.measurement import DeviceError
from keras_kd.benchmark.request import Request
from tests.programs import need


@pytest.fixture
def emulator():
    need("qemu-aarch64", "aarch64-linux-gnu-gcc", "make")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("student", ["digits", "colour"])
def test_classes_are_those_of_the_host(emulator, student, precision, request, tmp_path):
    file = request.getfixturevalue(f"{student}_files")[precision]
    x, _ = request.getfixturevalue(f"{student}_test")
    expected = write_golden(tmp_path / "golden", file, x[:100])
    asked = Request(
        path=file, target="aarch64", golden=tmp_path / "golden", profile=True
    )
    measurement = aarch64.run(asked)
    np.testing.assert_array_equal(
        measurement.outputs.argmax(axis=1), expected.argmax(axis=1)
    )
    assert len(set(expected.argmax(axis=1))) > 5
    # The emulator's times are nobody's.
    assert measurement.is_emulated
    assert measurement.runs == 0
    assert measurement.operations == ()
    for name in ("init_ms", "min_ms", "p50_ms", "p90_ms", "p99_ms"):
        assert getattr(measurement, name) is None
    assert measurement.peak_memory_bytes is None
    assert measurement.measured_on == "ARM64, emulated"
    assert measurement.machine.startswith("cortex-a76 emulated by QEMU ")


def test_program_is_for_arm64(emulator):
    content = built_program("aarch64", "aarch64").read_bytes()
    # The ELF header's class 64 bit, little-endian, and machine EM_AARCH64, 183.
    assert content[:6] == b"\x7fELF\x02\x01"
    assert int.from_bytes(content[18:20], "little") == 183


def test_damaged_file_is_one_line(emulator, tmp_path):
    file = tmp_path / "damaged.tflite"
    file.write_bytes(b"not a model at all, only words " * 40)
    with pytest.raises(DeviceError, match=r"^aarch64: .*LiteRT can run") as error:
        aarch64.run(Request(path=file, target="aarch64"))
    assert "\n" not in str(error.value)


def test_missing_emulator_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"on Debian, qemu-user"):
        aarch64.run(Request(path=tmp_path / "x.tflite", target="aarch64"))


def test_library_that_cannot_be_fetched_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    failed = types.SimpleNamespace(
        returncode=1, stderr="WARNING: slow\nERROR: No matching distribution\n"
    )
    monkeypatch.setattr(_linux_library.subprocess, "run", lambda *a, **k: failed)
    machine = "aarch64" if _linux_library.platform.machine() == "x86_64" else "x86_64"
    with pytest.raises(DeviceError, match=r"pip cannot fetch .*No matching") as error:
        _linux_library.litert_folder("aarch64", machine)
    assert "\n" not in str(error.value)
    # Nothing half fetched is taken for a library later.
    left = list(tmp_path.rglob("*.so")) + list(tmp_path.rglob(".new-*"))
    assert left == []

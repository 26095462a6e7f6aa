"""The program of export/linux through export/android's Makefile, on a stubbed device.

The NDK is a stub too: its compiler is this machine's, and so is the library in the
Android package. What is built really runs, behind the stub of adb.
"""

import platform
import shutil
import subprocess
import zipfile
from pathlib import Path

import ai_edge_litert
import numpy as np
import pytest

from keras_kd.benchmark import android
from keras_kd.benchmark._android_program import find_program
from keras_kd.benchmark.golden import write_golden
from keras_kd.benchmark.measurement import DeviceError
from keras_kd.benchmark.request import Request
from tests.benchmark.android_phone import AndroidPhone, elf
from tests.benchmark.test_android_output import COMPILED
from tests.programs import need

EXPORT = Path(__file__).parents[2] / "export"
ABI, TRIPLE = {
    "x86_64": ("x86_64", "x86_64-linux-android"),
    "aarch64": ("arm64-v8a", "aarch64-linux-android"),
}[platform.machine()]


def make(export, *words):
    return subprocess.run(
        ["make", "-C", export / "android", *words], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    """A stub of the NDK, and of LiteRT's Android package."""
    need("gcc", "make", "unzip")
    folder = tmp_path_factory.mktemp("kit")
    compiler = folder / f"toolchains/llvm/prebuilt/linux-x86_64/bin/{TRIPLE}28-clang"
    compiler.parent.mkdir(parents=True)
    compiler.write_text('#!/bin/sh\nexec cc "$@"\n')
    compiler.chmod(0o755)
    library = Path(ai_edge_litert.__file__).with_name("libLiteRt.so")
    with zipfile.ZipFile(folder / "litert-9.8.7.aar", "w") as package:
        package.write(library, f"jni/{ABI}/libLiteRt.so")
    return folder


@pytest.fixture(scope="module")
def export(kit, tmp_path_factory):
    """A copy of export/ with the program built."""
    export = tmp_path_factory.mktemp("export")
    for name in ("linux", "android"):
        unbuilt = shutil.ignore_patterns("build", "app")
        shutil.copytree(EXPORT / name, export / name, ignore=unbuilt)
    built = make(
        export,
        f"ABI={ABI}",
        f"ANDROID_NDK={kit}",
        f"AAR={kit / 'litert-9.8.7.aar'}",
        "HOST=linux-x86_64",
    )
    assert built.returncode == 0, built.stderr
    return export


@pytest.fixture
def phone(export, tmp_path, monkeypatch):
    phone = AndroidPhone(tmp_path / "phone")
    phone.plug_in(monkeypatch)
    phone.state["properties"]["ro.product.cpu.abilist"] = ABI
    phone.save()
    monkeypatch.setenv("KERAS_KD_EXPORT", str(export))
    monkeypatch.setenv("KERAS_KD_BENCHMARK_MODEL", str(tmp_path / "benchmark_model"))
    machine = {"x86_64": 62, "arm64-v8a": 183}[ABI]
    (tmp_path / "benchmark_model").write_bytes(elf(machine))
    return phone


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_device_answers_the_golden_inputs_as_the_host(
    phone, precision, digits_files, digits_test, tmp_path
):
    file, golden = digits_files[precision], tmp_path / "golden"
    expected = write_golden(golden, file, digits_test[0][:60])
    result = android.run(
        Request(file, "android", golden=golden, runs=20, warmup=2, profile=True)
    )
    assert result.outputs.dtype == expected.dtype
    classes = expected.argmax(axis=1)
    np.testing.assert_array_equal(result.outputs.argmax(axis=1), classes)
    assert len(set(classes)) > 5
    assert 0 < result.min_ms <= result.p50_ms <= result.p90_ms <= result.p99_ms
    assert (result.runs, result.warmup) == (20, 2)
    assert result.machine == "Google Pixel 8, Tensor G3, Android 14"
    assert result.runtime == "LiteRT 9.8.7, C"
    assert result.measured_on == f"Android CPU, {ABI}"
    assert result.operations
    assert phone.left == []


def test_program_takes_the_place_of_benchmark_model_on_the_cpu(phone, digits_files):
    phone.answers(gpu=(0, COMPILED))
    asked = Request(digits_files["int8"], "android", runs=20)
    cpu, gpu = android.run_variants(asked)
    assert cpu.runtime.endswith(", C")
    assert gpu.p50_ms == 0.358
    assert not any("cpu" in flags for flags in phone.flags)
    assert len(cpu.warnings) == 1
    assert cpu.warnings[0].startswith("NNAPI was not measured")


def test_without_benchmark_model_the_cpu_is_measured_all_the_same(
    phone, digits_files, tmp_path
):
    (tmp_path / "benchmark_model").write_bytes(elf(machine=8))
    asked = Request(digits_files["int8"], "android", runs=20)
    [cpu] = android.run_variants(asked)
    assert cpu.p50_ms > 0
    assert cpu.warnings[0].startswith("only the CPU was measured: android: ")


def test_file_that_the_runtime_refuses_is_one_clear_line(phone, tmp_path):
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"\x1c\0\0\0TFL3" + bytes(200))
    with pytest.raises(DeviceError, match="run_student failed with 2") as error:
        android.run(Request(bad, "android"))
    assert "\n" not in str(error.value)
    assert phone.left == []


def test_program_for_another_processor_is_refused(export, tmp_path, monkeypatch):
    build = tmp_path / "android" / "build" / "armeabi-v7a"
    shutil.copytree(export / "android" / "build" / ABI, build)
    monkeypatch.setenv("KERAS_KD_EXPORT", str(tmp_path))
    with pytest.raises(DeviceError, match="run_student is built for"):
        find_program("android", ["armeabi-v7a"])
    assert find_program("android", ["riscv64"]) is None


def test_no_program_is_found_where_there_is_no_export_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_KD_EXPORT", str(tmp_path))
    assert find_program("android", [ABI]) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "AAR must be LiteRT's Android package"),
        (["ABI=mips"], "ABI must be arm64-v8a, armeabi-v7a or x86_64, got mips"),
        (["ANDROID_NDK=/nowhere"], "ANDROID_NDK must be the folder of the NDK"),
    ],
)
def test_makefile_says_what_is_missing(kit, tmp_path, words, message):
    shutil.copytree(
        EXPORT / "android", tmp_path / "android", ignore=shutil.ignore_patterns("build")
    )
    aar = [f"AAR={kit / 'litert-9.8.7.aar'}", f"ABI={ABI}"] if words else []
    failed = make(tmp_path, *aar, *words)
    assert failed.returncode != 0
    assert message in failed.stderr

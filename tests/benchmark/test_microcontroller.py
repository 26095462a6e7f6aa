"""Students in TensorFlow Lite Micro, and the boards that they fit on."""

import dataclasses
import importlib.metadata
import subprocess

import numpy as np
import pytest

from keras_kd._checks import InvalidInputError
from keras_kd.benchmark import BOARDS, DeviceError, fits, measure, microcontroller
from keras_kd.benchmark._programs import export_folder
from keras_kd.benchmark.request import Request
from keras_kd.export import inspect, write_c_array
from tests.programs import needs

from ..export.micro_program import run_on_micro

STUB = """\
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#define TFLITE_SCHEMA_VERSION 3
#define MicroPrintf(...) (std::printf(__VA_ARGS__), std::puts(""))
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
struct TfLiteTensor { union { void* data; } data; size_t bytes; };
namespace tflite {
struct Model {
  const unsigned char* file;
  unsigned version() const { return 3; }
};
inline const Model* GetModel(const void* file) {
  static Model model;
  model.file = static_cast<const unsigned char*>(file);
  return &model;
}
inline void InitializeTarget() {}
struct MicroOpResolver { unsigned added = 0; };
template <unsigned count> struct MicroMutableOpResolver : MicroOpResolver {
  TfLiteStatus Add() { return ++added <= count ? kTfLiteOk : kTfLiteError; }
METHODS
};
struct MicroInterpreter {
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, uint8_t* arena,
                   size_t size)
      : model_(model), resolver_(resolver), arena_(arena), size_(size) {}
  TfLiteStatus AllocateTensors() {
    if (model_->file[4] != 'T' || resolver_.added != COUNT) return kTfLiteError;
    if (size_ != ARENA || reinterpret_cast<uintptr_t>(arena_) % 16) return kTfLiteError;
    input_.data.data = arena_;
    input_.bytes = INPUT_BYTES;
    output_.data.data = arena_ + INPUT_BYTES;
    output_.bytes = OUTPUT_BYTES;
    return kTfLiteOk;
  }
  TfLiteTensor* input(size_t) { return &input_; }
  TfLiteTensor* output(size_t) { return &output_; }
  size_t arena_used_bytes() const { return size_ / 2; }
  TfLiteStatus Invoke() {
    if (runs_++ == 2) return kTfLiteError;
    static_cast<NUMBER*>(output_.data.data)[7] = NUMBER(runs_);
    return kTfLiteOk;
  }
  const Model* model_;
  const MicroOpResolver& resolver_;
  uint8_t* arena_;
  size_t size_;
  TfLiteTensor input_, output_;
  int runs_ = 0;
};
}  // namespace tflite
"""


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("student", ["digits", "colour"])
def test_same_classes_as_the_host(student, precision, request):
    path = request.getfixturevalue(f"{student}_files")[precision]
    x, y = request.getfixturevalue(f"{student}_test")
    found = measure(path, target="microcontroller", examples=x[:100])
    host = measure(path, target="host", runs=1, warmup=0, examples=x[:100])
    classes = found.outputs.argmax(-1)
    np.testing.assert_array_equal(classes, host.outputs.argmax(-1))
    assert np.mean(classes == y[:100]) > 0.8
    assert found.is_emulated
    assert found.p50_ms is None


def test_arena_is_enough_and_a_smaller_one_is_not(digits_files):
    path = digits_files["int8"]
    found = measure(path, target="microcontroller")
    enough = inspect(path).micro_arena_bytes
    assert found.arena_bytes < enough < 1.2 * found.arena_bytes
    measure(path, target=f"microcontroller:{enough}")
    assert run_on_micro(path, enough)[0] is not None
    too_small = int(0.9 * found.arena_bytes)
    assert run_on_micro(path, too_small)[0] is None
    with pytest.raises(DeviceError, match="does not fit an arena") as error:
        measure(path, target=f"microcontroller:{too_small}")
    assert f"{too_small:,}" in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_is_left_of_a_failure(digits_files, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    x = np.zeros((1, 8, 8, 1))
    with pytest.raises(DeviceError):
        measure(digits_files["int8"], target="microcontroller:1000", examples=x)
    assert list(tmp_path.iterdir()) == []


def test_faults_are_one_clear_line(digits_files, tmp_path, monkeypatch):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(digits_files["int8"].read_bytes()[:3000])
    with pytest.raises(InvalidInputError, match="expected a whole"):
        microcontroller.run(Request(broken, "microcontroller"))
    with pytest.raises(DeviceError, match="expected the bytes of an arena"):
        measure(digits_files["int8"], target="microcontroller:much")

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    with pytest.raises(DeviceError, match=r"pip install .keras-kd\[microcontroller\]"):
        measure(digits_files["int8"], target="microcontroller")


def test_crash_of_tflm_is_reported(digits_files, monkeypatch, tmp_path):
    program = tmp_path / "aborts.py"
    program.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(microcontroller, "_PROGRAM", program)
    with pytest.raises(DeviceError, match=r"crashed on .* with signal 6"):
        measure(digits_files["int8"], target="microcontroller")


def test_operation_that_tflm_refuses(digits_student, digits, tmp_path):
    from keras_kd.export import convert

    path = tmp_path / "m.tflite"
    convert(digits_student, path, precision="dynamic_int8")
    with pytest.raises(DeviceError, match="no floats with integer"):
        measure(path, target="microcontroller")
    assert not any(fit.fits for fit in fits(path))


def test_boards_hold_what_they_have_room_for(digits_files):
    path = digits_files["int8"]
    arena = inspect(path).micro_arena_bytes
    assert all(fit.fits for fit in fits(path))
    board = BOARDS[0]
    needed = arena + 16 * 1024
    sizes = [
        ({"ram_bytes": needed, "block_bytes": arena}, ""),
        ({"ram_bytes": needed - 1}, "of RAM,"),
        ({"block_bytes": arena - 1}, "RAM in one piece"),
        ({"flash_bytes": path.stat().st_size + 38_000}, "flash"),
    ]
    for changes, reason in sizes:
        [fit] = fits(path, on=[dataclasses.replace(board, **changes)])
        assert fit.fits == (not reason)
        assert reason in fit.reason
    [fit] = fits(path, on=[board], other_ram_bytes=board.ram_bytes)
    assert not fit.fits


def test_facts_of_boards_are_possible():
    assert len({board.name for board in BOARDS}) == len(BOARDS) >= 6
    for board in BOARDS:
        assert board.block_bytes <= board.ram_bytes < board.flash_bytes
        assert board.source.startswith("https://")


@needs("g++", "arm-none-eabi-g++")
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_program_for_tflm_agrees_with_the_c_array(digits_files, tmp_path, precision):
    """Against a stub of its interface, which tells nothing of its real sources."""
    path = digits_files[precision]
    found = inspect(path)
    write_c_array(path, tmp_path)
    size = {"float32": 4, "int8": 1}[precision]
    facts = {
        "METHODS": "".join(
            f"  TfLiteStatus Add{name}() {{ return Add(); }}\n"
            for name in ("Conv2D", "FullyConnected", "MaxPool2D", "Mean")
        ),
        "COUNT": "4",
        "ARENA": str(found.micro_arena_bytes),
        "INPUT_BYTES": str(64 * size),
        "OUTPUT_BYTES": str(10 * size),
        "NUMBER": {"float32": "float", "int8": "int8_t"}[precision],
    }
    stub = STUB
    for name, value in facts.items():
        stub = stub.replace(name, value)
    (tmp_path / "stub.h").write_text(stub)
    for name in (
        "micro/micro_interpreter.h",
        "micro/micro_log.h",
        "micro/micro_mutable_op_resolver.h",
        "micro/system_setup.h",
        "schema/schema_generated.h",
    ):
        header = tmp_path / "tensorflow" / "lite" / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text('#include "stub.h"\n')
    folder = export_folder("microcontroller") / "tflite_micro"
    sources = [folder / "main.cc", folder / "student.cc", tmp_path / "student_model.c"]
    strict = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fno-exceptions"]
    for compiler, output in (
        ("g++", ["-o", tmp_path / "program"]),
        ("arm-none-eabi-g++", ["-mcpu=cortex-m4", "-mthumb", "-fsyntax-only"]),
    ):
        command = [compiler, *strict, "-fno-rtti", f"-I{tmp_path}", f"-I{folder}"]
        subprocess.run([*command, *output, "-x", "c++", *sources], check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        f"{found.micro_arena_bytes // 2} bytes of the arena taken",
        "class 7",
        "class 7",
        "stopped: an operation failed",
    ]
    assert done.returncode == 1

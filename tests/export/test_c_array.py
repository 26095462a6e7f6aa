"""The C files, through compilers and through TensorFlow Lite Micro."""

import re
import subprocess

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd._checks import InvalidInputError
from keras_kd.export import convert, inspect, write_c_array
from tests.programs import need

from .micro_program import run_on_micro

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")
LABELS = ('say "cat"??/', "Ärger\\", "*/ x", "7%d")
PROGRAM = """
#include <stdio.h>
#include <stdint.h>
#include "student_model.h"
int main(void) {
  static const int shape[] = STUDENT_MODEL_INPUT_SHAPE;
  STUDENT_MODEL_INPUT_TYPE one = 0;
  unsigned i;
  if ((uintptr_t)student_model % 16 != 0) return 1;
  if (sizeof(student_model) != STUDENT_MODEL_BYTES) return 2;
  if (sizeof(one) != 1 || shape[1] != 8 || sizeof(shape) != 4 * sizeof(int)) return 3;
  if (STUDENT_MODEL_INPUT_SCALE <= 0.0f || STUDENT_MODEL_INPUT_ZERO_POINT > 127)
    return 4;
  fwrite(student_model, 1, sizeof(student_model), stdout);
  for (i = 0; i < STUDENT_MODEL_LABELS; i++) puts(student_model_labels[i]);
  return (int)one;
}
"""
RESOLVER = """
#include <cstdio>
#include "student_model.h"
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
struct Resolver {
  unsigned known = 0;
METHODS
};
int main() {
  Resolver resolver;
  if (!student_model_add_operations(resolver)) return 1;
  return resolver.known == STUDENT_MODEL_OPERATIONS ? 0 : 2;
}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.DepthwiseConv2D(3, activation="relu"),
            layers.Conv2D(6, 3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    folder = tmp_path_factory.mktemp("files")
    x = np.random.default_rng(0).normal(size=(20, 8, 8, 1)).astype("float32")
    for precision in ("float32", "float16", "dynamic_int8", "int8"):
        path = folder / f"{precision}.tflite"
        convert(
            model, path, precision=precision, calibration_data=x, labels=list(LABELS)
        )
    return folder


def build(folder, compiler, *options, program=PROGRAM, suffix="c"):
    """A program of the two files and another."""
    need(compiler)
    main = folder / f"main.{suffix}"
    main.write_text(program)
    command = [compiler, *options, *STRICT, "-o", folder / "program", main]
    language = ["-x", "c++"] if compiler == "g++" else []
    result = subprocess.run(
        [*command[:-1], *language, main, folder / "student_model.c"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder / "program"


@pytest.mark.parametrize(
    ("compiler", "standard"),
    [
        ("gcc", "-std=c99"),
        ("gcc", "-std=c11"),
        ("g++", "-std=c++98"),
        ("g++", "-std=c++17"),
    ],
)
def test_bytes_and_labels_come_back(files, tmp_path, compiler, standard):
    header, source = write_c_array(files / "int8.tflite", tmp_path)
    assert [header.name, source.name] == ["student_model.h", "student_model.c"]
    program = build(tmp_path, compiler, standard)
    printed = subprocess.run([program], capture_output=True, check=True).stdout
    content = (files / "int8.tflite").read_bytes()
    assert printed[: len(content)] == content
    assert printed[len(content) :].decode().splitlines() == list(LABELS)


def test_resolver_gets_every_operation(files, tmp_path):
    write_c_array(files / "int8.tflite", tmp_path)
    expected = ("AddConv2D", "AddDepthwiseConv2D", "AddFullyConnected", "AddMean")
    methods = "".join(
        f"  TfLiteStatus {name}() {{ ++known; return kTfLiteOk; }}\n"
        for name in (*expected, "AddSoftmax")
    )
    text = RESOLVER.replace("METHODS", methods)
    program = build(tmp_path, "g++", "-std=c++17", program=text, suffix="cc")
    subprocess.run([program], check=True)


@pytest.mark.slow
def test_arena_of_the_header_is_enough(files, tmp_path):
    for precision in ("float32", "int8"):
        path = files / f"{precision}.tflite"
        header, _ = write_c_array(path, tmp_path)
        arena = re.search(r"ARENA_BYTES (\d+)", header.read_text())
        head, printed = run_on_micro(path, int(arena[1]))
        assert head == inspect(path).arena_bytes, printed


@pytest.mark.parametrize("precision", ["float16", "dynamic_int8"])
def test_header_says_that_tflm_cannot_run_it(files, tmp_path, precision):
    header, _ = write_c_array(files / f"{precision}.tflite", tmp_path)
    text = header.read_text()
    assert "TensorFlow Lite Micro cannot run this file" in text
    assert "add_operations" not in text
    assert run_on_micro(files / f"{precision}.tflite", 1_000_000)[0] is None
    program = PROGRAM.replace("sizeof(one) != 1 ||", "")
    for macro in ("SCALE <= 0.0f", "ZERO_POINT > 127"):
        program = program.replace(f"STUDENT_MODEL_INPUT_{macro}", "0")
    build(tmp_path, "gcc", "-std=c99", program=program)


def test_scale_is_that_of_the_file(files, tmp_path):
    from keras_kd.export import LiteRtModel

    header, _ = write_c_array(files / "int8.tflite", tmp_path, name="digits")
    scale, zero_point = LiteRtModel(files / "int8.tflite").input["quantization"]
    text = header.read_text()
    given = re.search(r"DIGITS_INPUT_SCALE (\S+)f\n", text)
    assert np.float32(given[1]) == np.float32(scale)
    assert f"DIGITS_INPUT_ZERO_POINT ({zero_point})\n" in text


@pytest.mark.parametrize(
    "name", ["", "1st", "a-b", "int", "class", "a b", "_x", "a__b", "ä", "x;", None]
)
def test_names_that_c_does_not_take(files, tmp_path, name):
    with pytest.raises(InvalidInputError, match="identifier of C"):
        write_c_array(files / "int8.tflite", tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_failure(files, tmp_path, monkeypatch):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes((files / "int8.tflite").read_bytes()[:-4000])
    with pytest.raises(InvalidInputError, match="expected a whole"):
        write_c_array(broken, tmp_path)
    with pytest.raises(InvalidInputError, match="folder that exists"):
        write_c_array(files / "int8.tflite", tmp_path / "none")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keras_kd.export._c_source.source", full)
    with pytest.raises(OSError, match="No space"):
        write_c_array(files / "int8.tflite", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.tflite"]

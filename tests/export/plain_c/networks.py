"""Files of one operation, cut out of a network and changed; and what runs them."""

import subprocess
import sys
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import keras_kd.benchmark
from keras_kd.export import _tflite, write_plain_c
from tests.programs import need

MAIN = """
#include <stdio.h>
#include "student_network.h"
int main(void) {
  int8_t *input = student_network_input();
  while (fread(input, STUDENT_NETWORK_INPUT_ELEMENTS, 1, stdin) == 1) {
    student_network_run();
    fwrite(student_network_output(), STUDENT_NETWORK_OUTPUT_ELEMENTS, 1, stdout);
  }
  return 0;
}
"""
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")
MICRO = Path(keras_kd.benchmark.__file__).with_name("_micro_program.py")


class Cut:
    """One operation of a file, as a file of its own that can be changed."""

    def __init__(self, path, name):
        _, self.model = _tflite.read("test", path)
        self.graph = self.model.subgraphs[0]
        self.operator = next(
            one
            for one in self.graph.operators
            if _tflite.operation_name(self.model, one) == name
        )
        self.graph.operators = [self.operator]
        self.graph.inputs = [self.operator.inputs[0]]
        self.graph.outputs = [self.operator.outputs[0]]
        self.model.signatureDefs = []

    @property
    def input(self):
        return self.graph.tensors[self.operator.inputs[0]]

    @property
    def output(self):
        return self.graph.tensors[self.operator.outputs[0]]

    def use_input_twice(self):
        self.operator.inputs = [self.operator.inputs[0]] * 2
        self.output.shape = self.input.shape

    def become(self, name, options_type=0, options=None):
        code = self.model.operatorCodes[self.operator.opcodeIndex]
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        self.operator.builtinOptionsType = options_type
        self.operator.builtinOptions = options

    def write(self, path):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path


def scaled(scale, zero_point):
    """A quantisation of one scale."""
    found = schema.QuantizationParametersT()
    found.scale, found.zeroPoint = [scale], [zero_point]
    return found


def random_inputs(path, number=60):
    """Integers of all sizes for a file's input."""
    shape = Interpreter(str(path)).get_input_details()[0]["shape"]
    generator = np.random.default_rng(0)
    wide = generator.integers(-128, 128, (number // 2, *shape[1:]))
    narrow = generator.normal(0, 30, (number // 2, *shape[1:]))
    return np.clip(np.concatenate([wide, narrow]), -128, 127).astype("int8")


def from_c(path, folder, inputs):
    """What the plain C of a file answers, built with checks of what C leaves open."""
    need("gcc")
    write_plain_c(path, folder)
    (folder / "main.c").write_text(MAIN)
    sources = [folder / f"{one}.c" for one in ("student_network", "keras_kd_kernels")]
    checks = ["-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
    command = ["gcc", *STRICT, *checks, "-o", folder / "program", folder / "main.c"]
    subprocess.run([*command, *sources], check=True)
    done = subprocess.run(
        [folder / "program"], input=inputs.tobytes(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, "int8").reshape(len(inputs), -1)


def from_micro(path, folder, inputs):
    """What TensorFlow Lite Micro answers."""
    header = b"KDGOLD01" + np.array([len(inputs), 0, 0, 0], "<u4").tobytes()
    golden, outputs = folder / "golden", folder / "outputs"
    golden.write_bytes(header[:12] + np.uint32(inputs[0].nbytes).tobytes() + bytes(8))
    golden.write_bytes(golden.read_bytes() + inputs.tobytes())
    command = [sys.executable, "-P", MICRO, path, "4000000", golden, outputs]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return np.fromfile(outputs, "int8").reshape(len(inputs), -1)


def from_litert(path, inputs):
    """What LiteRT's reference kernels answer."""
    interpreter = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    input_ = interpreter.get_input_details()[0]["index"]
    output = interpreter.get_output_details()[0]["index"]
    answers = []
    for one in inputs:
        interpreter.set_tensor(input_, one[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(output).reshape(-1))
    return np.stack(answers)

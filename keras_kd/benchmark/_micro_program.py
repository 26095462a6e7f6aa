"""Runs a .tflite file with TensorFlow Lite Micro, in a process that may abort.

python _micro_program.py FILE.tflite ARENA_BYTES [GOLDEN OUTPUTS]

GOLDEN is what `write_golden` made; OUTPUTS gets the answers, one after the other.
Imports nothing of keras_kd. The recorder's report is on standard error; the last line
there tells what went wrong if the exit code is not 0.
"""

import struct
import sys
from pathlib import Path

import numpy as np

_HEADER = struct.Struct("<8s4I")


def main(path, arena_bytes, golden=None, outputs=None):
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(path, arena_size=int(arena_bytes))
    details = interpreter.get_input_details(0)
    examples = np.zeros((1, *details["shape"][1:]), details["dtype"])
    if golden is not None:
        content = Path(golden).read_bytes()
        _, count, input_bytes, _, _ = _HEADER.unpack_from(content)
        inputs = content[_HEADER.size : _HEADER.size + count * input_bytes]
        examples = np.frombuffer(inputs, details["dtype"])
        examples = examples.reshape(count, *details["shape"][1:])
    answers = b""
    for example in examples:
        interpreter.set_input(example[None], 0)
        interpreter.invoke()
        answers += interpreter.get_output(0).tobytes()
    if outputs is not None:
        Path(outputs).write_bytes(answers)
    interpreter.print_allocations()


if __name__ == "__main__":
    main(*sys.argv[1:])

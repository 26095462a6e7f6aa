"""Runs a .tflite file with the reference kernels of LiteRT, in a process of its own.

python _table_program.py FILE.tflite OUTPUTS.npy

Each input gets the integers -128 to 127. Imports nothing of keras_kd.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def main(path, outputs):
    interpreter = Interpreter(
        path, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(
            details["index"], np.arange(-128, 128, dtype="int8")[None]
        )
    interpreter.invoke()
    made = [
        interpreter.get_tensor(details["index"])[0]
        for details in interpreter.get_output_details()
    ]
    np.save(outputs, np.stack(made))


if __name__ == "__main__":
    main(*sys.argv[1:])

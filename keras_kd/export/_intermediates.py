"""Runs a .tflite file and gives tensors from inside it; in a process that may crash.

python _intermediates.py FILE INDEX,INDEX,... <INPUTS >TENSORS

stdin: pickled arrays, each one input of the file; stdout: for each a pickled list of
arrays, the tensors with these indexes.
"""

import contextlib
import pickle
import sys

from ai_edge_litert.interpreter import Interpreter, OpResolverType


def main(path, indexes):
    """Answers until there are no more inputs."""
    interpreter = Interpreter(
        path,
        # A delegate such as XNNPACK never fills the tensors inside its part.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    with contextlib.suppress(EOFError):
        while True:
            interpreter.set_tensor(given, pickle.load(sys.stdin.buffer))
            interpreter.reset_all_variables()
            interpreter.invoke()
            tensors = [interpreter.get_tensor(int(i)) for i in indexes.split(",")]
            pickle.dump(tensors, sys.stdout.buffer)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

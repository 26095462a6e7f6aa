"""Runs a .tflite file with TensorFlow Lite Micro, in a process that may abort.

python micro_program.py FILE.tflite ARENA_BYTES

Exit code 0 if it ran; the recorder's report is on stderr.
"""

import re
import subprocess
import sys

import numpy as np


def run_on_micro(path, arena_bytes):
    """The bytes that TensorFlow Lite Micro planned for activations, None if it refuses.

    Args:
        path: of a .tflite file.
        arena_bytes: int, what it is given.

    Returns:
        `(head_bytes, printed)`.
    """
    result = subprocess.run(
        [sys.executable, __file__, str(path), str(arena_bytes)],
        capture_output=True,
        text=True,
        check=False,
    )
    head = re.search(r"Arena allocation head (\d+) bytes", result.stderr)
    if result.returncode or not head:
        return None, result.stderr
    return int(head[1]), result.stderr


def main(path, arena_bytes):
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(path, arena_size=int(arena_bytes))
    details = interpreter.get_input_details(0)
    interpreter.set_input(np.zeros(details["shape"], details["dtype"]), 0)
    interpreter.invoke()
    interpreter.print_allocations()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Golden inputs: examples as a file's own tensor holds them, and what it answers."""

import math
import struct
from pathlib import Path

import numpy as np

from keras_kd._checks import invalid
from keras_kd._files import written_whole
from keras_kd.benchmark.measurement import DeviceError
from keras_kd.export.metadata import read_description
from keras_kd.outputs.litert import invoke_anew, open_interpreter, quantise

MAGIC = b"KDGOLD01"
_HEADER = struct.Struct("<8s4I")
WHERE = "keras_kd.benchmark.write_golden"


def write_golden(path, tflite_path, examples):
    """Writes examples, and what LiteRT here answers to them, for `--golden`.

    The file is the 8 bytes "KDGOLD01"; four little-endian uint32: the number of
    examples, the bytes of an input, the bytes of an output, 0; then all inputs, then
    all outputs, one example after the other, in the types and order of the file's
    tensors.

    Args:
        path: `str` or `Path` to write to, whole or not at all.
        tflite_path: `str` or `Path` of the .tflite file.
        examples: array `(n, ...)`, n > 0, as the Keras model takes them; where the file
            normalises its inputs, it is given raw ones.

    Returns:
        The outputs, array `(n, ...)` in the type of the file's output.

    Raises:
        ValueError: It is no .tflite file that LiteRT can run; another shape.

    Example:
        `write_golden("student.golden", "student.tflite", x_test[:100])`
    """
    interpreter = open_interpreter(WHERE, tflite_path, threads=1)
    [input_], [output] = (
        interpreter.get_input_details(),
        interpreter.get_output_details(),
    )
    inputs = quantise(_as_file_takes(tflite_path, examples, input_), input_)
    outputs = []
    for one in inputs:
        interpreter.set_tensor(input_["index"], one[None])
        invoke_anew(interpreter)
        outputs.append(interpreter.get_tensor(output["index"])[0])
    outputs = np.stack(outputs)
    header = _HEADER.pack(MAGIC, len(inputs), inputs[0].nbytes, outputs[0].nbytes, 0)
    with written_whole(Path(path)) as (whole,):
        whole.write_bytes(header + inputs.tobytes() + outputs.tobytes())
    return outputs


def read_outputs(path, tflite_path):
    """What a program wrote to `--outputs`, an array `(examples, ...)`.

    Args:
        path: `str` or `Path` of its file.
        tflite_path: `str` or `Path` of the .tflite file that answered.

    Raises:
        DeviceError: It holds no whole number of outputs.
    """
    [output] = open_interpreter(WHERE, tflite_path).get_output_details()
    content = Path(path).read_bytes()
    shape = tuple(output["shape"][1:])
    size = math.prod(shape) * np.dtype(output["dtype"]).itemsize
    if not content or len(content) % size:
        raise DeviceError(
            f"expected outputs of {size} bytes for each golden input, got "
            f"{len(content)} bytes. Was the program stopped?"
        )
    return np.frombuffer(content, output["dtype"]).reshape(-1, *shape)


def _as_file_takes(path, examples, details):
    """Examples with the file's own normalisation undone, as real numbers."""
    examples = np.asarray(examples)
    shape = tuple(map(int, details["shape"][1:]))
    if examples.shape[1:] != shape or not len(examples):
        raise invalid(
            WHERE,
            f"examples of shape (n, {', '.join(map(str, shape))}), n > 0",
            examples.shape,
            "Pass the data that the file's model was trained on.",
        )
    description = read_description(path)
    if description is not None and description.normalization_folded:
        examples = description.normalization.invert(examples).astype("float32")
    return examples

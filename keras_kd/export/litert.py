"""Running a .tflite file with LiteRT, on float inputs whatever the file takes."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_kd._checks import invalid


class LiteRtModel:
    """A .tflite file, loaded and ready to run one example at a time.

    Args:
        path: `str` or `Path`.
        threads: int > 0, for LiteRT's CPU kernels.

    Attributes:
        interpreter: LiteRT's interpreter, with its tensors allocated.
        input: LiteRT's description of the first input, a dict.
        output: the same of the first output.

    Raises:
        ValueError: It is not a .tflite file that LiteRT can run.

    Example:
        See `examples/01_digits.py`; `LiteRtModel("student.tflite")(x)` gives scores.
    """

    def __init__(self, path, *, threads=1):
        try:
            # Read here: LiteRT's own message for a missing file does not say so.
            content = Path(path).read_bytes()
            # An empty file would count as none given.
            self.interpreter = Interpreter(
                model_content=content or b"empty", num_threads=threads
            )
            self.interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise invalid(
                "LiteRtModel",
                "a .tflite file that LiteRT can run",
                f'"{path}" ({str(error).splitlines()[0]})',
                "Make one with keras_kd.export.convert.",
            ) from error
        self.input = self.interpreter.get_input_details()[0]
        self.output = self.interpreter.get_output_details()[0]

    def __call__(self, examples):
        """Runs the file on each example in turn.

        Args:
            examples: array `(n, ...)`, as the Keras model takes them.

        Returns:
            Float32 array `(n, num_classes)`; quantised outputs are turned back.

        Raises:
            ValueError: The examples have another shape than the file's input.
        """
        examples = np.asarray(examples)
        shape = tuple(self.input["shape"][1:])
        if examples.shape[1:] != shape:
            raise invalid(
                "LiteRtModel",
                f"examples of shape (n, {', '.join(map(str, shape))})",
                examples.shape,
                "Pass the data that the file's model was trained on.",
            )
        return np.stack([self._run(example) for example in examples])

    def _run(self, example):
        self.interpreter.set_tensor(
            self.input["index"], quantise(example, self.input)[None]
        )
        self.interpreter.invoke()
        raw = self.interpreter.get_tensor(self.output["index"])[0]
        scale, zero_point = self.output["quantization"]
        if not scale:
            return raw.astype("float32")
        return (raw.astype("float32") - zero_point) * np.float32(scale)


def quantise(values, details):
    """Values as a LiteRT tensor takes them: rounded and clipped for integer ones.

    Args:
        values: array.
        details: LiteRT's description of the tensor.

    Returns:
        Array of the tensor's dtype.
    """
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    whole = np.round(values / scale) + zero_point
    return np.clip(whole, limits.min, limits.max).astype(details["dtype"])

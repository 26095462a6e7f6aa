"""Running a .tflite file with LiteRT, on float inputs whatever the file takes."""

import numpy as np

from keras_kd._checks import invalid
from keras_kd.outputs.litert import dequantise, invoke_anew, open_interpreter, quantise


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
        self.interpreter = open_interpreter("LiteRtModel", path, threads=threads)
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
        invoke_anew(self.interpreter)
        raw = self.interpreter.get_tensor(self.output["index"])[0]
        return dequantise(raw, self.output)

"""A .tflite file as a teacher."""

import hashlib
import threading
from pathlib import Path

import numpy as np

from keras_kd._checks import invalid
from keras_kd.outputs.litert import dequantise, invoke_anew, open_interpreter, quantise
from keras_kd.teachers.foreign import ForeignTeacher


class LiteRtTeacher(ForeignTeacher):
    """A .tflite file, run by LiteRT on the CPU.

    A file that takes any number of examples gets a batch at once, one made for a fixed
    number, such as those of `keras_kd.export.convert`, as often as needed. Quantised
    inputs and outputs are turned from and into floats; inputs that already have the
    file's integer type are taken as they are. A probability that is rounded to 0 counts
    as half a step of the output. What a recurrent file remembers is forgotten before
    every batch that it is given. XLA cannot compile it.

    Args:
        path: `str` or `Path`.
        from_logits: bool, whether it gives logits; False for probabilities.
        multi_label: see `CallableTeacher`.
        preprocessing: as for `FrozenTeacher`.
        threads: int > 0, for LiteRT's CPU kernels. Default 1.

    Raises:
        ValueError: LiteRT cannot run it, or it has several inputs or outputs.

    Example:
        >>> import keras, tempfile
        >>> from pathlib import Path
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "teacher.tflite")
        ...     model.export(path, format="litert", verbose=False)
        ...     teacher = LiteRtTeacher(path, from_logits=True)
        >>> tuple(teacher(np.ones((2, 4), "float32")).logits.shape)
        (2, 3)
    """

    compilable = False

    def __init__(
        self, path, *, from_logits, multi_label=False, preprocessing=None, threads=1
    ):
        self._interpreter = open_interpreter("LiteRtTeacher", path, threads=threads)
        # Replicas of a distribution strategy run in threads, LiteRT in one at a time.
        self._lock = threading.Lock()
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise invalid(
                "LiteRtTeacher",
                "a file with one input and one output",
                f"{len(inputs)} and {len(outputs)}",
                "Convert a model that gives the class scores alone.",
            )
        self._input, self._output = inputs[0], outputs[0]
        self._shape = tuple(
            None if size == -1 else int(size) for size in self._input["shape_signature"]
        )
        self._allocated = tuple(map(int, self._input["shape"]))
        super().__init__(
            from_logits=from_logits,
            multi_label=multi_label,
            num_classes=int(self._output["shape"][-1]),
            input_shapes=[(None, *self._shape[1:])],
            preprocessing=preprocessing,
            fingerprint=hashlib.sha256(Path(path).read_bytes()).hexdigest(),
            resolution=None if from_logits else _step(self._output),
        )

    def _predict(self, inputs):
        return self._through_numpy(self._run, inputs)

    def _run(self, examples):
        self._check_examples(examples.shape)
        at_once = self._shape[0] or max(len(examples), 1)
        parts = [
            self._run_part(examples[start : start + at_once], at_once)
            for start in range(0, len(examples), at_once)
        ]
        none = np.zeros((0, self.num_classes), "float32")
        return np.concatenate([none, *parts])

    def _run_part(self, examples, at_once):
        missing = at_once - len(examples)
        filled = np.concatenate([examples, np.repeat(examples[-1:], missing, axis=0)])
        index = self._input["index"]
        with self._lock:
            if filled.shape != self._allocated:
                self._interpreter.resize_tensor_input(index, filled.shape)
                self._interpreter.allocate_tensors()
                self._allocated = filled.shape
            self._interpreter.set_tensor(index, quantise(filled, self._input))
            invoke_anew(self._interpreter)
            raw = self._interpreter.get_tensor(self._output["index"])
        return dequantise(raw, self._output)[: len(examples)]

    def _check_examples(self, shape):
        # LiteRT would resize its input, and only some models bear that.
        sizes = zip(self._shape[1:], shape[1:], strict=False)
        if len(shape) != len(self._shape) or any(w not in (None, h) for w, h in sizes):
            raise invalid(
                "LiteRtTeacher",
                f"batches of shape {(None, *self._shape[1:])}",
                tuple(shape),
                "Pass a `preprocessing` that gives what the file takes.",
            )


def _step(output):
    """The step between the values of a quantised output, None of a float one."""
    scale, _ = output["quantization"]
    return float(scale) or None

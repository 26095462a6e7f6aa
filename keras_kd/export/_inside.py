"""What lies inside a model and its .tflite file while they run on the same examples."""

import contextlib
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import keras

from keras_kd.outputs import layer_paths
from keras_kd.outputs.recording import record

_PROGRAM = Path(__file__).parent / "_intermediates.py"


class FileStoppedError(RuntimeError):
    """LiteRT's own kernels could not run a file; the message has its last words."""


def layer_values(model, inputs):
    """What every layer gives, by path, of those that run once and give one tensor.

    Args:
        model: a Keras model.
        inputs: a batch, as the model takes them.

    Returns:
        `(outputs, values)`: float32 `(batch, ...)`, the model's own outputs, and a dict
        of path to such an array.
    """
    paths = layer_paths(model)
    with record([(layer, "call") for layer in paths.values()]) as calls:
        outputs = model(inputs, training=False)
    values = {}
    for path, layer in paths.items():
        results = keras.tree.flatten([c.result for c in calls[(id(layer), "call")]])
        if len(results) == 1 and hasattr(results[0], "shape"):
            values[path] = _float32(results[0])
    return _float32(outputs), values


def tensor_values(path, indexes, inputs):
    """The tensors of a file with these indexes, one input after the other.

    Args:
        path: `Path` of the file.
        indexes: list of int.
        inputs: arrays of the shape and dtype that the file takes, with the batch axis.

    Yields:
        A list of arrays for each input.

    Raises:
        FileStoppedError: LiteRT cannot run the file without delegates, or crashed.
    """
    names = ",".join(map(str, indexes))
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM), str(path), names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        try:
            for one in inputs:
                pickle.dump(one, process.stdin)
                process.stdin.flush()
                yield pickle.load(process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            raise FileStoppedError(_last_words(process, log)) from None
        finally:
            process.kill()
            # What a process that has crashed did not read cannot be flushed.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def _last_words(process, log):
    process.kill()
    exit_code = process.wait()
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines() or [""]
    return lines[-1] if exit_code > 0 else f"crashed with signal {-exit_code}"


def _float32(tensor):
    return keras.ops.convert_to_numpy(tensor).astype("float32")

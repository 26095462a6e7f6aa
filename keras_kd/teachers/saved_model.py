"""A TensorFlow SavedModel as a teacher."""

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_kd._checks import check_choice, invalid
from keras_kd.teachers.foreign import ForeignTeacher

_GRAPH = "saved_model.pb"


class SavedModelTeacher(ForeignTeacher):
    """A folder that `tf.saved_model.save` or Keras's `model.export` wrote.

    The fingerprint is taken from the folder's files, so that a copy of it is the same
    teacher. A SavedModel without signatures is a function like any other: give
    `tf.saved_model.load(path)` to `CallableTeacher`.

    Args:
        path: `str` or `Path` of the folder.
        from_logits: bool, whether it gives logits; False for probabilities.
        signature: str, which of its signatures to call. Default "serving_default".
        output: str, which output of the signature is the class scores; None if it has
            one only.
        multi_label: see `CallableTeacher`.
        preprocessing: as for `FrozenTeacher`; for a signature of several inputs it
            gives a dict by their names.
        resolution: see `CallableTeacher`.

    Raises:
        ValueError: There is no SavedModel, or no such signature or output.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export(folder, verbose=False)
        ...     teacher = SavedModelTeacher(folder, from_logits=True)
        >>> tuple(teacher(tf.ones((2, 4))).logits.shape)
        (2, 3)
    """

    def __init__(
        self,
        path,
        *,
        from_logits,
        signature="serving_default",
        output=None,
        multi_label=False,
        preprocessing=None,
        resolution=None,
    ):
        # Kept as well: its variables live only as long as what was loaded does.
        self._loaded = _loaded(path)
        signatures = self._loaded.signatures
        if not signatures:
            raise invalid(
                "SavedModelTeacher",
                "a SavedModel with signatures",
                f'"{path}", which has none',
                "Give tf.saved_model.load(path) to CallableTeacher.",
            )
        check_choice("SavedModelTeacher", "signature", signature, sorted(signatures))
        self._function = signatures[signature]
        self._inputs = self._function.structured_input_signature[1]
        outputs = self._function.structured_outputs
        self._output = next(iter(outputs)) if output is None else output
        if output is not None or len(outputs) > 1:
            check_choice("SavedModelTeacher", "output", output, sorted(outputs))
        shape = outputs[self._output].shape
        super().__init__(
            from_logits=from_logits,
            multi_label=multi_label,
            num_classes=shape[-1] if shape.rank else None,
            input_shapes=_only_shape(self._inputs),
            preprocessing=preprocessing,
            fingerprint=_digest(Path(path)),
            resolution=resolution,
        )

    def _predict(self, inputs):
        named = inputs
        if not isinstance(inputs, dict) and len(self._inputs) == 1:
            named = dict(zip(self._inputs, keras.tree.flatten(inputs), strict=False))
        if not isinstance(named, dict) or set(named) != set(self._inputs):
            raise invalid(
                "SavedModelTeacher",
                f"inputs named {', '.join(sorted(self._inputs))}",
                ", ".join(map(str, inputs)) if isinstance(inputs, dict) else "no names",
                "Pass a `preprocessing` that gives a dict of them.",
            )
        # A signature takes its own dtypes only.
        cast = {name: tf.cast(named[name], self._inputs[name].dtype) for name in named}
        return self._function(**cast)[self._output]


def _loaded(path):
    try:
        return tf.saved_model.load(str(path))
    except AttributeError:
        return _loaded_without_optimizer(Path(path))
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise invalid(
            "SavedModelTeacher",
            "the folder of a SavedModel",
            f'"{path}" ({str(error).splitlines()[0]})',
            "Write one with model.export(path) or tf.saved_model.save.",
        ) from error


def _loaded_without_optimizer(folder):
    """What Keras 2 saved with an optimizer, which TensorFlow alone cannot make.

    The optimizer's values for each weight ("slots") are left where they are; what is
    loaded has no use for them.
    """
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / _GRAPH).read_bytes())
    for graph in saved.meta_graphs:
        for node in graph.object_graph_def.nodes:
            del node.slot_variables[:]
    log = logging.getLogger("tensorflow")
    level = log.level
    log.setLevel(logging.ERROR)  # of every value that is not loaded
    try:
        with tempfile.TemporaryDirectory() as scratch:
            copy = shutil.copytree(folder, Path(scratch) / "copy")
            (copy / _GRAPH).write_bytes(saved.SerializeToString())
            return tf.saved_model.load(str(copy))
    finally:
        log.setLevel(level)


def _only_shape(inputs):
    shapes = [spec.shape for spec in inputs.values()]
    known = len(shapes) == 1 and shapes[0].rank is not None
    return [tuple(shapes[0])] if known else None


def _digest(folder):
    """SHA-256 over the files of a folder and their names in it, hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content} ".encode())
    return digest.hexdigest()

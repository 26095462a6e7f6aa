"""Trained Keras models from files, those of Keras 2 too."""

import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import h5py
import keras

from keras_kd._checks import invalid

# What Keras 2 wrote of layers whose Keras 3 class has no such option, each the only
# value with which the layer is still the same.
_NO_GROUPS = {"groups": 1}
_NO_KERNEL = {
    "kernel_initializer": ...,  # any: these layers have two kernels, named otherwise
    "kernel_regularizer": None,
    "kernel_constraint": None,
}
_GONE = {
    "DepthwiseConv1D": _NO_GROUPS,
    "DepthwiseConv2D": _NO_GROUPS,
    "Conv1DTranspose": _NO_GROUPS,
    "Conv2DTranspose": _NO_GROUPS,
    "Conv3DTranspose": _NO_GROUPS,
    "SeparableConv1D": _NO_GROUPS | _NO_KERNEL,
    "SeparableConv2D": _NO_GROUPS | _NO_KERNEL,
    "SimpleRNN": {"time_major": False},
    "LSTM": {"time_major": False},
    "GRU": {"time_major": False},
}


def load_model(path, *, where="load_model"):
    """A trained Keras model from a file, of Keras 3 or of Keras 2.

    `keras.models.load_model` refuses most `.h5` files of Keras 2 for options that its
    layers no longer have, such as `groups` of `DepthwiseConv2D` and `time_major` of
    `LSTM`; here these are left out where they say what Keras 3 does anyway.

    Args:
        path: `str` or `Path` of a `.keras` or `.h5` file.
        where: str, what to name in errors.

    Returns:
        A `keras.Model`, which is compiled if the file says how.

    Raises:
        ValueError: There is no such file, or it cannot be read; the message names the
            way for what only Keras 2 reads.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/teacher.keras")
        ...     load_model(f"{folder}/teacher.keras").output_shape
        (None, 3)
    """
    path = Path(path)
    if path.is_dir():
        raise invalid(
            where,
            "a model file",
            f'"{path}", a folder',
            "Is it a SavedModel, use keras_kd.teachers.SavedModelTeacher(path, "
            "from_logits=...) as the teacher.",
        )
    if not path.is_file():
        raise invalid(where, "a model file", f'"{path}"', "Check the path.")
    of_keras_2 = _is_of_keras_2(path)
    try:
        if of_keras_2 and zipfile.is_zipfile(path):
            raise ValueError("Keras 3 misreads what Keras 2 writes in this format")
        return _loaded_from_h5(path) if of_keras_2 else keras.models.load_model(path)
    except Exception as error:
        # Keras raises whatever its zip, JSON or HDF5 reader met first.
        raise invalid(
            where,
            "a .keras file, as model.save(path) writes it",
            f'"{path}" ({str(error).splitlines()[0] if str(error) else error!r})',
            "It was saved by Keras 2: load it there (pip install tf_keras) and write "
            "it with model.export(folder), for "
            "keras_kd.teachers.SavedModelTeacher(folder, from_logits=...)."
            if of_keras_2
            else "Save the model again, from standard or registered layers.",
        ) from error


def _loaded_from_h5(path):
    """The model in a file of Keras 2, without options that are gone."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(path, folder)
        with h5py.File(copy, "r+") as file:
            config = _without_gone(json.loads(file.attrs["model_config"]))
            file.attrs["model_config"] = json.dumps(config)
        return keras.models.load_model(copy)


def _without_gone(config):
    if isinstance(config, list):
        return [_without_gone(one) for one in config]
    if not isinstance(config, dict):
        return config
    gone = _GONE.get(config.get("class_name"), {})
    if gone and isinstance(config.get("config"), dict):
        kept = {
            key: value
            for key, value in config["config"].items()
            if not (key in gone and gone[key] in (value, ...))
        }
        config = {**config, "config": kept}
    return {key: _without_gone(value) for key, value in config.items()}


def _is_of_keras_2(path):
    """Whether a file says that Keras 2 wrote it."""
    version = ""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if "metadata.json" in archive.namelist():
                about = json.loads(archive.read("metadata.json"))
                version = about.get("keras_version", "")
    elif h5py.is_hdf5(path):
        with h5py.File(path) as file:
            version = str(file.attrs.get("keras_version", ""))
    return version.startswith("2.")

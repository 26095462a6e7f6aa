"""Model files and output folders named on the command line."""

import tempfile
from pathlib import Path

from keras_kd._checks import invalid


def load_model(path):
    """The Keras model in a file.

    Raises:
        ValueError: There is no such file, or it is not a Keras model.
    """
    import keras

    if not Path(path).is_file():
        raise invalid("keras-kd", "a model file", f'"{path}"', "Check the path.")
    try:
        return keras.models.load_model(path)
    except Exception as error:
        # Keras raises whatever its zip, JSON or HDF5 reader met first.
        raise invalid(
            "keras-kd",
            "a .keras file, as model.save(path) writes it",
            f'"{path}" ({str(error).splitlines()[0] if str(error) else error!r})',
            "Save the model again, from standard or registered layers.",
        ) from error


def output_folder(path):
    """Makes the folder for a run's files and returns it."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise invalid(
            "keras-kd",
            "an --out folder that can be made and written to",
            f'"{path}" ({error.strerror})',
            "Choose another folder.",
        ) from error
    return folder


def image_size(text):
    """`(height, width)` from "96" or "96x128"; None from None."""
    if text is None:
        return None
    sizes = text.lower().split("x")
    if not 1 <= len(sizes) <= 2 or not all(
        size.isdigit() and int(size) for size in sizes
    ):
        raise invalid(
            "keras-kd", "--image-size as 96 or 96x128", f'"{text}"', "Give pixels."
        )
    return int(sizes[0]), int(sizes[-1])

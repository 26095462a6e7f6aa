"""Model files and output folders named on the command line."""

import tempfile
from pathlib import Path

from keras_kd._checks import invalid


def load_model(path):
    """The Keras model in a file, see `keras_kd.teachers.load_model`."""
    from keras_kd import teachers

    return teachers.load_model(path, where="keras-kd")


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

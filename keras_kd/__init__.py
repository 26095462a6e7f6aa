"""Distil large Keras models into small ones and ship them to phones and boards.

The public names load on first use, so that `import keras_kd` and `keras-kd --help`
do not import TensorFlow.
"""

import sys
from importlib import import_module

__version__ = "0.1.0"

_ROOMS = ("benchmark", "data", "export", "losses", "outputs", "students", "teachers")

__all__ = ["Distiller", *_ROOMS]


def __getattr__(name):
    if name == "Distiller":
        return import_module("keras_kd.distiller").Distiller
    if name in _ROOMS:
        return import_module(f"keras_kd.{name}")
    raise AttributeError(f"module 'keras_kd' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])


# A program that has loaded Keras already pays nothing for the rest, and its
# `keras.models.load_model` must find our classes without a further import.
if "keras" in sys.modules:
    import_module("keras_kd.distiller")

"""Distil large Keras models into small ones and ship them to phones and boards.

The public names load on first use, so that `import keras_kd` and `keras-kd --help`
do not import TensorFlow.
"""

from importlib import import_module

from keras_kd._registration import register_with_keras

__version__ = "0.1.0"

_DISTILLERS = ("Distiller", "MutualDistiller")
_ROOMS = (
    "benchmark",
    "budget",
    "callbacks",
    "data",
    "distiller",
    "explain",
    "export",
    "losses",
    "outputs",
    "report",
    "students",
    "teachers",
)

__all__ = [*_DISTILLERS, *_ROOMS]


def __getattr__(name):
    if name in _DISTILLERS:
        return getattr(import_module("keras_kd.distiller"), name)
    if name in _ROOMS:
        room = import_module(f"keras_kd.{name}")
        register_with_keras()
        return room
    raise AttributeError(f"module 'keras_kd' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])


register_with_keras()

"""Lets `keras.models.load_model` find our classes, whichever is imported first.

Keras finds a class in a file by its registered name only, so our module must have been
imported. To import it with `keras_kd` would load TensorFlow for `keras-kd --help` too;
so it waits for whoever imports Keras.
"""

import importlib
import importlib.abc
import importlib.util
import sys

# They import every other room that has such classes.
_MODULES = ("keras_kd.callbacks", "keras_kd.export")
_ROOMS_WITH_KERAS = (
    *_MODULES,
    *(
        f"keras_kd.{room}"
        for room in ("outputs", "data", "losses", "teachers", "students", "distiller")
    ),
)


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Imports our classes right after Keras, once."""

    def find_spec(self, name, path=None, target=None):
        """Finds Keras like everybody else, and adds to what its import does."""
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            # Not while one of our own rooms imports Keras: that would be a circle.
            if not any(room in sys.modules for room in _ROOMS_WITH_KERAS):
                _import_ours()

        spec.loader.exec_module = exec_module
        return spec


def register_with_keras():
    """Imports our classes now if Keras is loaded, else as soon as it is."""
    if "keras" in sys.modules:
        _import_ours()
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _import_ours():
    for module in _MODULES:
        importlib.import_module(module)

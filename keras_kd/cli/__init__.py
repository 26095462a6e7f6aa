"""The command `keras-kd`."""

from keras_kd.cli.app import main

__all__ = ["main"]

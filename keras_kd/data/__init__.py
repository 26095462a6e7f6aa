"""Data sets by name, split once and for all, with stable example ids."""

from keras_kd.data.augment import random_crop, random_flip
from keras_kd.data.examples import Examples, as_examples
from keras_kd.data.load import DataSet, load
from keras_kd.data.split import Split

__all__ = [
    "DataSet",
    "Examples",
    "Split",
    "as_examples",
    "load",
    "random_crop",
    "random_flip",
]

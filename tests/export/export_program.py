"""Exports the same model again and again until it is killed.

python export_program.py FOLDER UNITS
"""

import sys
from pathlib import Path

import keras

from keras_kd.export import convert


def main(folder, units):
    """Tells on stdout when each export has ended."""
    keras.utils.set_random_seed(int(units))
    layer = keras.layers.Dense(int(units))
    model = keras.Sequential([keras.Input((64,)), layer])
    while True:
        convert(model, Path(folder, "m.tflite"), precision="float32")
        sys.stdout.write("exported\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

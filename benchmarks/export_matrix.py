"""Which architecture can be exported in which precision, and what that costs.

Each of the small models of `_export_architectures.py` is trained for a moment,
converted in every precision, and run by LiteRT beside Keras on the 256 examples that it
was trained and calibrated on. For every pair the result file says

- relative_error: RMS of the difference of the outputs / RMS of Keras's outputs;
- agreement: how often both choose the same class;
- size_bytes: of the file; of models as small as these half of it is names and numbers
  of the format;
- or failed: the message of the error.

A limit is stated for each precision, below; an error above it counts as failed. The
errors are those of random small models, to show what works, and no forecast for yours:
use `keras_kd.export.verify`.

Run: python benchmarks/export_matrix.py [--architectures lstm gru] [--table]
"""

import argparse
import json
import platform
import tempfile
from pathlib import Path

import keras
import numpy as np
from _export_architectures import ARCHITECTURES, trained
from _export_matrix_table import table

from keras_kd._checks import ConversionError, InvalidInputError
from keras_kd._files import write_json
from keras_kd.cli._console import console, progress
from keras_kd.export import PRECISIONS, LiteRtModel, convert, decide
from keras_kd.export.manifest import versions

OUT = Path(__file__).parent / "results" / "export_matrix.json"
# The largest relative error of the outputs that is still right, by what is rounded:
LIMITS = {
    # nothing, but other kernels add in another order;
    "float32": 1e-5,
    # weights to 11 bits, 0.02 % each;
    "float16": 2e-3,
    # weights to 8 bits, about 0.3 % of a channel's largest, and activations before the
    # large operations;
    "dynamic_int8": 0.02,
    # and every activation, about 0.4 % of its range, ever again;
    "int8": 0.04,
    # activations to 16 bits: the weights' error remains;
    "int16x8": 0.02,
    # weights to 4 bits, 7 % of a channel's largest: post-training, for a small model,
    # this is coarse.
    "int4_weights": 0.15,
}


def main():
    """Measures, writes the result file and prints the table."""
    options = _options()
    if options.table:
        print("\n".join(table(json.loads(OUT.read_text(encoding="utf-8")))))
        return
    cells = {}
    with tempfile.TemporaryDirectory() as folder, progress() as bar:
        task = bar.add_task("Architectures", total=len(options.architectures), note="")
        for name in options.architectures:
            bar.update(task, note=name)
            cells[name] = row(name, Path(folder))
            bar.update(task, advance=1)
    results = {
        "cells": cells,
        "params": {name: ARCHITECTURES[name]().count_params() for name in cells},
        "limits": LIMITS,
        "versions": versions(),
        "python": platform.python_version(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, results)
    console.print("\n".join(table(results)), soft_wrap=True, markup=False)
    console.print(f"Written to {options.out}")


def row(name, folder):
    """What comes of one architecture in every precision.

    Args:
        name: str, of `ARCHITECTURES`.
        folder: `Path` for the files.

    Returns:
        Dict of precision to `cell`.
    """
    model, x, _ = trained(name)
    return {precision: cell(model, x, precision, folder) for precision in PRECISIONS}


def cell(model, x, precision, folder):
    """What comes of one model in one precision.

    Args:
        model: a Keras model.
        x: its inputs, to calibrate and to compare on.
        precision: str.
        folder: `Path` for the file.

    Returns:
        Dict of "relative_error", "agreement" and "size_bytes", or of "failed".
    """
    path = folder / f"{model.name}-{precision}.tflite"
    try:
        manifest = convert(model, path, precision=precision, calibration_data=x)
    except (ConversionError, InvalidInputError) as error:
        return {"failed": str(error)}
    from_keras = model.predict(x, verbose=0)
    from_file = LiteRtModel(path)(x)
    error = relative_error(from_file, from_keras)
    if not error <= LIMITS[precision]:
        return {"failed": f"relative error {error:.2g}, more than {LIMITS[precision]}"}
    same = decide(from_file, "logits") == decide(from_keras, "logits")
    return {
        "relative_error": float(f"{error:.3g}"),
        "agreement": round(float(same.mean()), 4),
        "size_bytes": manifest.size_bytes,
    }


def relative_error(got, expected):
    """RMS of the difference / RMS of what is expected, a float."""
    return float(np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2)))


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--architectures", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES)
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument(
        "--table", action="store_true", help="print the result file's table only"
    )
    return parser.parse_args()


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    main()

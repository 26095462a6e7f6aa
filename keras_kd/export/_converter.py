"""Converts a SavedModel to TFLite; run in a process of its own, which may crash.

python _converter.py SAVED_MODEL OUTPUT PRECISION [CALIBRATION.npy]
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def main(saved_model, output, precision, calibration=None):
    """Writes the TFLite file to `output`."""
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    # Without this a missing builtin silently becomes an op that phones do not have.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        examples = np.load(calibration)
        converter.representative_dataset = lambda: (
            [examples[i : i + 1]] for i in range(len(examples))
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    Path(output).write_bytes(converter.convert())


if __name__ == "__main__":
    main(*sys.argv[1:])

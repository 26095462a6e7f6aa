"""Converts SavedModels to TFLite; run in a process of its own, which may crash.

python _converter.py JOB.json       does one job
python _converter.py --serve        does those whose files stdin names, line by line
"""

import json
import os
import re
import select
import sys
import traceback
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import quantizer, recipe_manager
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName as Operation

IDLE_S = 60.0
INTEGER_OPERATIONS = {
    "int8": (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8),
    "int16x8": (
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        tf.int16,
    ),
}


def main(job_file):
    """Writes the TFLite file that a job asks for.

    Args:
        job_file: path of a JSON file with the paths "saved_model", "output" and
            "calibration" (or None), and "precision", "float_io" and "trained_ranges"
            (whether the model has its own).
    """
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    converter = tf.lite.TFLiteConverter.from_saved_model(job["saved_model"])
    # Without this a missing builtin silently becomes an op that phones do not have.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if job["trained_ranges"]:
        content = with_trained_ranges(converter, job["float_io"])
    elif job["precision"] in INTEGER_OPERATIONS:
        content = calibrated(converter, **job)
    elif job["precision"] == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        content = converter.convert()
    else:
        content = converter.convert()
        if job["precision"] != "float32":
            content = small_weights(content, job["precision"])
    Path(job["output"]).write_bytes(content)


def with_trained_ranges(converter, float_io):
    """An integer file of a model that has fake quantisation in it."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if not float_io:
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return converter.convert()


def calibrated(converter, *, precision, calibration, float_io, **_):
    """An integer file whose ranges are those seen on examples."""
    examples = np.load(calibration)
    operations, dtype = INTEGER_OPERATIONS[precision]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [examples[i : i + 1]] for i in range(len(examples))
    )
    converter.target_spec.supported_ops = [operations]
    if not float_io:
        converter.inference_input_type = dtype
        converter.inference_output_type = dtype
    return converter.convert()


def small_weights(content, precision):
    """A float file with its weights in fewer bits; activations stay float.

    The choices come from `benchmarks/export_routes.py` and `export_matrix.py`: of ways
    as small and fast, the ones that lost least on average.
    """
    recipe = recipe_manager.RecipeManager()
    recipe.add_dynamic_config(".*", Operation.ALL_SUPPORTED, num_bits=8)
    # LiteRT has no fast kernel for this one with float inputs and int8 weights.
    recipe.add_weight_only_config(".*", Operation.DEPTHWISE_CONV_2D, num_bits=8)
    if precision == "int4_weights":
        for operation in (Operation.FULLY_CONNECTED, Operation.CONV_2D):
            recipe.add_dynamic_config(
                ".*", operation, num_bits=4, algorithm_key=AlgorithmName.OCTAV
            )
        for scope in first_convolution(content):
            recipe.add_weight_only_config(scope, Operation.CONV_2D, num_bits=8)
    quantised = quantizer.Quantizer(content, recipe.get_quantization_recipe())
    return bytes(quantised.quantize(enable_progress_report=False).quantized_model)


def first_convolution(content):
    """A pattern of the first convolution's output, if there is one.

    It has few weights, and the error that it makes goes through all other layers.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    graph = model.subgraphs[0]
    for operation in graph.operators:
        code = model.operatorCodes[operation.opcodeIndex].builtinCode
        if code == schema.BuiltinOperator.CONV_2D:
            return [re.escape(graph.tensors[operation.outputs[0]].name.decode())]
    return []


def serve():
    """Does each job in a fork, which has TensorFlow already and alone may crash.

    For each line of stdin, the path of a job, stdout gets the exit status of the fork;
    what it printed is in the job's file with the ending ".log". Ends with its stdin, or
    when no job has come for `IDLE_S`.
    """
    while select.select([sys.stdin], [], [], IDLE_S)[0]:
        job_file = sys.stdin.readline().strip()
        if not job_file:
            return
        process = os.fork()
        if not process:
            _fork(Path(job_file))
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _fork(job_file):
    """Does a job and ends the process."""
    status = 1
    try:
        log = os.open(job_file.with_suffix(".log"), os.O_CREAT | os.O_WRONLY, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        main(job_file)
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve()
    else:
        main(sys.argv[1])

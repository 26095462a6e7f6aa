"""Tables of the functions of one int8 number, from LiteRT's own reference kernels."""

import copy
import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FUNCTIONS = frozenset(
    {"GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "QUANTIZE", "TANH"}
    | {"RELU", "RELU6", "RELU_N1_TO_1"}
)
_PROGRAM = Path(__file__).with_name("_table_program.py")


def with_tables(operations):
    """Operations, those of one number with the table of their results.

    Args:
        operations: list of `Operation`.

    Raises:
        ValueError: LiteRT cannot compute one of them.
    """
    wanted = [one for one in operations if one.name in FUNCTIONS]
    if not wanted:
        return operations
    found = dict(zip(wanted, _tables(wanted), strict=True))
    return [
        dataclasses.replace(one, table=found[one]) if one in found else one
        for one in operations
    ]


def _tables(operations):
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as name:
        model, results = Path(name, "functions.tflite"), Path(name, "results.npy")
        model.write_bytes(_model_of(operations))
        # In a process of its own: the kernels abort on scales that make no sense.
        done = subprocess.run(
            [sys.executable, "-P", _PROGRAM, model, results],
            capture_output=True,
            check=False,
        )
        if done.returncode and len(operations) > 1:
            return np.concatenate([_tables([one]) for one in operations])
        if done.returncode:
            lines = done.stderr.decode(errors="replace").split("\n")
            reason = next((line for line in reversed(lines) if line.strip()), "crash")
            raise operations[0].refused(f"LiteRT cannot compute it ({reason[:200]})")
        return np.load(results)


def _model_of(operations):
    """A file that applies each operation to an input of its own."""
    source = operations[0].model
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    for one in operations:
        operator = copy.copy(one.operator)
        number = len(graph.tensors)
        operator.inputs, operator.outputs = [number], [number + 1]
        for place in (one.inputs[0], one.output):
            tensor = copy.copy(one.tensor(place))
            tensor.shape, tensor.shapeSignature, tensor.buffer = [1, 256], None, 0
            graph.tensors.append(tensor)
        graph.operators.append(operator)
        graph.inputs.append(number)
        graph.outputs.append(number + 1)
    model = schema.ModelT()
    model.version, model.operatorCodes = source.version, source.operatorCodes
    model.subgraphs, model.buffers = [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())

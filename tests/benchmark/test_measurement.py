"""The line that a program prints is a `Measurement`, or one clear error."""

import dataclasses
import json

import numpy as np
import pytest

from keras_kd.benchmark import DeviceError, Measurement, OperationTime
from keras_kd.benchmark.measurement import read_line

LINE = {
    "schema": 1,
    "file": "student.tflite",
    "size_bytes": 1234,
    "machine": "a board",
    "runtime": "LiteRT",
    "accelerator": "CPU",
    "is_emulated": False,
    "threads": 2,
    "warmup": 3,
    "runs": 4,
    "init_ms": 5.0,
    "min_ms": 6.0,
    "p50_ms": 7.0,
    "p90_ms": 8.0,
    "p99_ms": 9.0,
    "peak_memory_bytes": 10,
    "arena_bytes": None,
    "operations": [{"name": "CONV_2D", "ms": 0.5}],
    "governor": "performance",
    "load": 0.25,
    "golden": None,
}


def read(values, **more):
    line = values if isinstance(values, str) else json.dumps(values)
    return read_line(line, target="ssh:board", measured_on="board CPU", **more)


def test_every_field_of_the_line_arrives():
    outputs = np.zeros((2, 3))
    found = read(LINE, outputs=outputs)
    for name in {field.name for field in dataclasses.fields(Measurement)} & set(LINE):
        if name != "operations":
            assert getattr(found, name) == LINE[name], name
    assert found.operations == (OperationTime("CONV_2D", 0.5),)
    assert (found.target, found.measured_on) == ("ssh:board", "board CPU")
    assert found.outputs is outputs
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.p50_ms = 0


def test_what_a_program_cannot_know_may_be_null():
    nothing = dict.fromkeys(("p50_ms", "operations", "governor", "load"))
    found = read({**LINE, **nothing})
    assert (found.p50_ms, found.operations, found.governor) == (None, (), None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Segmentation fault",
        "[1]",
        "null",
        json.dumps({"schema": 1}),
        json.dumps({**LINE, "operations": [{"title": "CONV_2D"}]}),
        json.dumps({**LINE, "operations": 3}),
    ],
)
def test_another_line_is_one_error_that_names_the_target(line):
    with pytest.raises(DeviceError, match="ssh:board: expected one line of JSON"):
        read(line)


def test_another_schema_is_an_error():
    with pytest.raises(DeviceError, match="expected schema 1, got 2"):
        read({**LINE, "schema": 2})


def test_outputs_are_not_in_the_way_of_reading():
    assert "outputs" not in repr(read(LINE, outputs=np.zeros((2, 3))))

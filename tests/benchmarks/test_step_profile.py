"""The profile of a step: each operation counts once, for the part that it is for."""

import importlib
from pathlib import Path

import keras
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def profile(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("step_profile")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("teacher_1/conv2d_1/convolution:Conv2D", "teacher"),
        ("gradient_tape/student_1/tap_1/convolution:Conv2DBackpropInput", "student"),
        ("AddN_6:AddN", "student"),
        ("gradient_tape/feature_1/Mul:Mul", "losses"),
        ("compile_loss/student_loss/Sum:Sum", "losses"),
        ("adam/Sqrt_3:Sqrt", "optimizer"),
        ("adam_7/Sqrt_3:Sqrt", "optimizer"),
        ("ArgMax:ArgMax", "rest"),
    ],
)
def test_operation_counts_for_its_part(profile, name, part):
    assert profile.is_operation(name)
    assert profile.part_of(name) == part


@pytest.mark.parametrize(
    "name",
    [
        "ExecutorState::Process",
        "EagerLocalExecute: IteratorGetNext",
        "FunctionRun",
        "IteratorGetNextOp::DoCompute",
    ],
)
def test_frame_is_no_operation(profile, name):
    assert not profile.is_operation(name)


@pytest.mark.slow
def test_a_real_step_is_recorded_and_its_shares_are_of_the_whole(profile, monkeypatch):
    for _ in range(2):  # Keras numbers the names of what comes later
        keras.optimizers.Adam()
    network = profile.network
    monkeypatch.setattr(profile, "network", lambda _, __, name: network(2, 1, name))
    result = profile.summary(profile.step_operations())
    assert all(ms > 0 for ms in result["ms"].values())
    assert sum(result["percent"].values()) == pytest.approx(100, abs=0.1)
    assert len(result["largest_of_the_rest_ms"]) == profile.MOST_NAMED

"""What is refused, and what is said of a budget that cannot be met."""

import keras
import pytest

from keras_kd.budget import Limits, within
from keras_kd.students import residual_net


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected a limit, got none"),
        ({"max_size_bytes": 0}, "`max_size_bytes` to be a number above 0, got 0"),
        ({"max_params": -5}, "`max_params` to be a number above 0, got -5"),
        ({"max_macs": True}, "`max_macs` to be a number above 0, got True"),
        ({"max_arena_bytes": "9k"}, "`max_arena_bytes` to be a number"),
        ({"max_latency_ms": float("nan")}, "`max_latency_ms` to be a number"),
        ({"max_params": 9, "precision": "int9"}, "`precision` to be one of"),
        ({"max_params": 9, "target": "moon"}, "`target` to be one of 'host'"),
        ({"max_params": 9, "threads": 0}, "`threads` to be an int of at least 1"),
        ({"max_params": 9, "threads": True}, "`threads` to be an int of at least 1"),
        ({"max_params": 9, "depths": ()}, "`depths` to be some depths"),
        ({"max_params": 9, "depths": 0.5}, "`depths` to be some depths"),
        ({"max_params": 9, "depths": (2.0,)}, "`depth` above 0 and at most 1"),
        ({"max_params": 9, "depths": ("a", 1)}, "`depth` above 0 and at most 1"),
        ({"max_params": 9, "divisor": 0}, "`divisor` to be a number above 0"),
        ({"max_params": 9, "init": "zeros"}, "`init` to be one of"),
        ({"max_params": 9, "export_options": {"label": 1}}, 'mean "labels"'),
        ({"max_params": 9, "export_options": ["labels"]}, "`export_options` to be"),
        ({"max_params": 9, "data": "x.npy"}, "calibration_data as an array"),
        ({"max_params": 9, "cache": True}, "`cache` to be a folder, got True"),
    ],
)
def test_what_cannot_be_used_is_refused_before_work(
    arguments, message, net, monkeypatch, tmp_path
):
    monkeypatch.setattr("keras_kd.budget._measuring.convert", None)
    with pytest.raises(ValueError, match=message):
        within(net, **({"cache": tmp_path} | arguments))


def test_cache_that_cannot_be_made_is_refused(net, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="a folder for `cache` that can be made"):
        within(net, max_params=9, cache=tmp_path / "file" / "cache")


def test_teacher_that_cannot_be_shrunk_is_refused():
    with pytest.raises(ValueError, match="a Functional or Sequential model"):
        within(keras.Sequential([keras.layers.Dense(2)]), max_params=9, cache=False)


@pytest.mark.slow
def test_impossible_budget_names_limits_and_the_smallest_reachable(
    net, cache, every_student
):
    params, size_bytes, macs, _ = every_student[0]
    with pytest.raises(ValueError, match="students of") as caught:
        within(
            net,
            max_size_bytes=size_bytes - 1,
            max_params=10,
            max_macs=macs,
            max_arena_bytes=10**6,
            cache=cache,
        )
    message = str(caught.value)
    assert (
        f"got max_size_bytes={size_bytes - 1:,} (smallest reachable: {size_bytes:,}), "
        f"max_params=10 (smallest reachable: {params:,}). " in message
    )
    assert message.endswith("try divisor=4, or a small net of keras_kd.students.")


@pytest.mark.slow
def test_impossible_budget_proposes_what_would_help(cache):
    net = residual_net((8, 8, 1), 10, width=8, stages=1, blocks=2)
    options = {"precision": "float32", "divisor": 1, "cache": cache}
    with pytest.raises(ValueError, match="reachable") as caught:
        within(net, max_size_bytes=100, **options)
    message = str(caught.value)
    assert 'depths=(1.0, 0.5), precision="int8", or a small net' in message
    assert "divisor" not in message


def test_limits_are_broken_above_and_not_at():
    limits = Limits(max_size_bytes=10, max_latency_ms=2.5)
    costs = {"size_bytes": 10, "params": 99, "latency_ms": 2.6}
    assert limits.broken_by(costs) == ("max_latency_ms",)

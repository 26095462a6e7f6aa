"""`measure` checks before it starts, and leaves nothing behind."""

import sys
import tempfile
from types import SimpleNamespace

import pytest
import tensorflow as tf

from keras_kd.benchmark import Measurement, OperationTime, measure
from keras_kd.benchmark.targets import TARGETS, target_module

DONE = Measurement("host", "host CPU", "a machine", "LiteRT", p50_ms=1.0, p90_ms=1.1)


@pytest.fixture
def host(monkeypatch):
    """A target that keeps the requests, and answers as its `answer` says."""
    module = SimpleNamespace(requests=[], answer=lambda request: DONE)

    def run(request):
        module.requests.append(request)
        return module.answer(request)

    module.run = run
    monkeypatch.setitem(sys.modules, "keras_kd.benchmark.host", module)
    return module


def test_result_names_the_device_and_orders_the_times(digits_files):
    found = measure(digits_files["float32"], runs=50, warmup=2, threads=2)
    assert 0 < found.min_ms <= found.p50_ms <= found.p90_ms <= found.p99_ms
    assert found.init_ms > 0
    assert (found.runs, found.warmup, found.threads) == (50, 2, 2)
    assert found.measured_on.startswith("host CPU, ")
    assert "cores" in found.machine
    assert found.outputs is None
    assert found.load >= 0


def test_target_is_asked_what_the_caller_asked(digits_files, host):
    path = digits_files["int8"]
    measure(str(path), threads=3, runs=7, warmup=0, profile=True)
    (request,) = host.requests
    assert (request.path, request.target, request.golden) == (path, "host", None)
    asked = (request.threads, request.runs, request.warmup, request.profile)
    assert asked == (3, 7, 0, True)


def test_golden_file_is_there_for_the_run_and_removed_after_a_failure(
    digits_files, digits_test, host, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def answer(request):
        assert request.golden.stat().st_size == 24 + 3 * 74
        raise KeyboardInterrupt

    host.answer = answer
    with pytest.raises(KeyboardInterrupt):
        measure(digits_files["int8"], examples=digits_test[0][:3])
    assert not list(tmp_path.iterdir())


def test_operations_that_a_target_cannot_time_are_a_warning(digits_files, host):
    def warnings(**options):
        return measure(digits_files["int8"], **options).warnings

    assert warnings() == ()
    (warning,) = warnings(profile=True)
    assert "operations were not timed" in warning
    timed = Measurement(
        "host", "host CPU", "m", "LiteRT", operations=(OperationTime("ADD", 1.0),)
    )
    host.answer = lambda request: timed
    assert warnings(profile=True) == ()


def test_doubtful_times_are_a_warning(digits_files, host):
    host.answer = lambda request: Measurement(
        "host", "host CPU", "m", "LiteRT", p50_ms=1.0, p90_ms=2.0, warnings=("its own",)
    )
    own, spread = measure(digits_files["int8"]).warnings
    assert own == "its own"
    assert "2.00 times" in spread


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "phone"}, "one of 'host'"),
        ({"target": "ssh"}, "ssh:user@board"),
        ({"target": "host:3"}, 'as "host"'),
        ({"target": "android:"}, "android:SERIAL"),
        ({"target": None}, "`target`"),
        ({"runs": 0}, "`runs` to be an int of at least 1"),
        ({"runs": True}, "`runs`"),
        ({"threads": 0.5}, "`threads`"),
        ({"warmup": -1}, "`warmup`"),
    ],
)
def test_unusable_arguments_say_what_to_do(digits_files, host, changes, message):
    with pytest.raises(ValueError, match=message):
        measure(digits_files["int8"], **changes)
    assert host.requests == []


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_unusable_file_is_one_clear_error(tmp_path, host, content):
    path = tmp_path / "m.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a \.tflite file that LiteRT can run"):
        measure(path)
    assert host.requests == []


def test_file_of_two_outputs_is_refused(two_outputs):
    with pytest.raises(ValueError, match="one output, got 2"):
        measure(two_outputs)


@pytest.fixture
def two_outputs(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32)])
    def twice(x):
        return x + 1, x * 2

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [twice.get_concrete_function()], twice
    )
    path = tmp_path / "two.tflite"
    path.write_bytes(converter.convert())
    return path


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_module_that_runs(name):
    target = "ssh:user@board" if name == "ssh" else name
    assert callable(target_module(target).run)

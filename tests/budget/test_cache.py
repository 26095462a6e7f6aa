"""What was measured is not measured again, unless something else is asked."""

import json
import os
import subprocess
import sys

import keras
import pytest

from keras_kd.budget import _measuring, within
from keras_kd.budget._records import model_digest, records_in
from keras_kd.export import convert
from keras_kd.students import convnet, separable_convnet


@pytest.fixture
def conversions(monkeypatch):
    """A list that grows by the path of each conversion."""
    done = []

    def counted(model, path, **options):
        done.append(path)
        return convert(model, path, **options)

    monkeypatch.setattr(_measuring, "convert", counted)
    return done


@pytest.fixture
def small():
    return convnet((8, 8, 1), 10, width=8)


@pytest.mark.slow
def test_second_search_converts_nothing(small, tmp_path, conversions):
    first = within(small, max_params=5000, cache=tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(conversions) == len(first.tried)
    conversions.clear()
    second = within(small, max_params=5000, cache=tmp_path)
    assert conversions == []
    assert second.tried == first.tried
    assert second.student is not first.student
    files[0].write_text(files[0].read_text()[:-20])
    third = within(small, max_params=5000, cache=tmp_path)
    assert len(conversions) == 1
    assert third.tried == first.tried
    json.loads(files[0].read_text())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"params": 1}',
        '{"params": 1, "size_bytes": "2", "macs": 1, "arena_bytes": 1, '
        '"latencies_ms": []}',
        '{"params": 1, "size_bytes": 2, "macs": 1, "arena_bytes": 1, '
        '"latencies_ms": [NaN]}',
    ],
)
def test_damaged_files_are_not_used(content, tmp_path):
    records = records_in(tmp_path)
    (tmp_path / "key.json").write_text(content)
    assert records.read("key") is None
    costs = {"params": 1, "size_bytes": 2, "macs": 3, "arena_bytes": 4}
    records.write("key", costs | {"latencies_ms": [0.5]})
    assert records.read("key") == costs | {"latencies_ms": [0.5]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        {"precision": "float32"},
        {"export_options": {"labels": list("0123456789")}},
        {"name": "a_name_that_is_longer"},
        {"max_latency_ms": 1.0},
    ],
)
def test_what_changes_a_file_is_measured_anew(other, small, tmp_path, monkeypatch):
    options = {"max_params": 10**6, "divisor": 16, "cache": tmp_path}

    class ConvertedError(Exception):
        pass

    def refuse(*args, **options):
        raise ConvertedError

    within(small, **options)
    monkeypatch.setattr(_measuring, "convert", refuse)
    within(small, **options)
    with pytest.raises(ConvertedError):
        within(small, **(options | other))


def test_digest_is_of_architecture_and_names_not_of_weights():
    def net(width=8, name="first"):
        inputs = keras.Input((8, 8, 1), name="image")
        x = keras.layers.Conv2D(width, 3, name=name)(inputs)
        return keras.Model(inputs, x, name="net")

    assert model_digest(net()) == model_digest(net())
    others = {model_digest(one) for one in (net(), net(16), net(name="other"))}
    assert len(others) == 3


@pytest.mark.slow
def test_digest_is_the_same_in_another_process():
    program = (
        "from keras_kd.budget._records import model_digest\n"
        "from keras_kd.students import separable_convnet\n"
        "print(model_digest(separable_convnet((8, 8, 1), 10, width=8)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    keras.utils.clear_session()
    net = separable_convnet((8, 8, 1), 10, width=8)
    assert run.stdout.split()[-1] == model_digest(net)


def test_default_folder_is_in_that_of_keras(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    records_in(None)
    assert (tmp_path / "keras" / "keras_kd" / "budget").is_dir()
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    records_in(None)
    assert (tmp_path / ".keras" / "keras_kd" / "budget").is_dir()


def test_nothing_is_kept_if_so_asked():
    records = records_in(False)
    records.write("key", {})
    assert records.read("key") is None

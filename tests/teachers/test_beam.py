"""Labelling through Apache Beam: the same store, whoever computes it."""

import functools
import json
import os
import shutil
import subprocess
import sys

import keras
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState

from keras_kd.data import load, random_crop
from keras_kd.teachers import Ensemble, _pipeline, beam, label, label_with_beam

TINY = {"batch_size": 64, "shard_size": 128}
# The way to Flink and Spark, to a server in this process.
PORTABLE = [
    "--runner=PortableRunner",
    "--job_endpoint=embed",
    "--environment_type=LOOPBACK",
]


@pytest.fixture
def teacher(make_model):
    """One that knows nothing, in the place of one that has to be trained first."""
    return make_model(32)


@pytest.fixture
def path(teacher, tmp_path):
    """The file of the teacher."""
    teacher.save(tmp_path / "teacher.keras")
    return tmp_path / "teacher.keras"


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def written_at(folder):
    return {file.name: file.stat().st_mtime_ns for file in folder.glob("shard-*")}


def direct(mode, workers):
    return [
        "--runner=DirectRunner",
        f"--direct_running_mode={mode}",
        f"--direct_num_workers={workers}",
    ]


def with_too_bright(bad_id):
    """A function that makes the digits, one of them with logits beyond float16."""

    def make():
        def spoilt(example):
            is_bad = tf.equal(example["id"], bad_id)
            return {**example, "x": tf.where(is_bad, 1e30, example["x"])}

        return load("digits").train.examples.map(spoilt)

    return make


@pytest.mark.slow
def test_several_processes_write_what_label_writes(teacher, path, digits, tmp_path):
    seen = tmp_path / "seen"
    seen.mkdir()

    def data():
        (seen / str(os.getpid())).touch()
        return load("digits").train

    how = {"top_k": 3, "views": 2, "augment": random_crop(1), **TINY}
    label(teacher, digits.train, tmp_path / "a", **how)
    soft = label_with_beam(
        path,
        data,
        tmp_path / "b",
        pipeline_options=direct("multi_processing", 2),
        tasks=4,
        **how,
    )
    assert len(list(seen.iterdir())) == 3  # where it started, and two workers
    assert len(written_at(tmp_path / "b")) == 16
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert (soft.views, soft.count) == (2, len(digits.train))


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [1, 3, 100])
def test_division_of_the_work_does_not_show(teacher, path, digits, tasks, tmp_path):
    label(teacher, digits.train, tmp_path / "a", dtype="float32", **TINY)
    options = PipelineOptions(direct("multi_threading", 2))
    label_with_beam(
        str(path),
        "digits",
        str(tmp_path / "b"),
        pipeline_options=options,
        tasks=tasks,
        dtype="float32",
        **TINY,
    )
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert not options.get_all_options()["allow_unsafe_triggers"]


@pytest.mark.slow
def test_files_make_an_ensemble(make_model, digits, tmp_path):
    models = [make_model(4), make_model(6)]
    paths = [tmp_path / "1.keras", tmp_path / "2.keras"]
    for model, file in zip(models, paths, strict=True):
        model.save(file)
    label(Ensemble(models), digits.test, tmp_path / "a", temperature=4.0, **TINY)
    test_part = functools.partial(getattr, digits, "test")
    with pytest.raises(ValueError, match="cannot be pickled"):
        label_with_beam(paths, test_part, tmp_path / "b", temperature=4.0, **TINY)
    label_with_beam(
        paths, lambda: load("digits").test, tmp_path / "b", temperature=4.0, **TINY
    )
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.slow
def test_only_lost_and_damaged_shards_are_made_anew(teacher, path, digits, tmp_path):
    label(teacher, digits.train, tmp_path / "a", **TINY)
    folder = tmp_path / "b"
    shutil.copytree(tmp_path / "a", folder)
    lost, cut, flipped, *others = sorted(folder.glob("shard-*"))
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:-9])
    damaged = bytearray(flipped.read_bytes())
    damaged[500] ^= 1
    flipped.write_bytes(damaged)
    before = written_at(folder)
    label_with_beam(path, "digits", folder, **TINY)
    assert contents(folder) == contents(tmp_path / "a")
    after = written_at(folder)
    assert all(after[file.name] == before[file.name] for file in others)
    label(teacher, digits.train, folder, **TINY)
    assert written_at(folder) == after


@pytest.mark.slow
def test_another_teacher_is_refused(make_model, path, tmp_path):
    label_with_beam(path, "digits", tmp_path / "store", **TINY)
    before = contents(tmp_path / "store")
    make_model(32).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="begun with, teacher="):
        label_with_beam(tmp_path / "other.keras", "digits", tmp_path / "store", **TINY)
    assert contents(tmp_path / "store") == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [None, direct("multi_threading", 2), PORTABLE], ids=["", "direct", "port"]
)
def test_failure_of_a_worker_is_told_and_mended(flags, teacher, path, digits, tmp_path):
    folder = tmp_path / "store"
    bad_id = digits.train.ids()[700]
    label_again = functools.partial(
        label_with_beam, path, path=folder, pipeline_options=flags, **TINY
    )
    with pytest.raises(ValueError, match=rf'"{bad_id}".*Whole shards stay') as raised:
        label_again(with_too_bright(bad_id))
    assert "Traceback" not in str(raised.value)
    kept = written_at(folder)
    assert 0 < len(kept) < 8
    assert json.loads((folder / "soft_targets.json").read_text())["shards"] is None
    label_again("digits")
    label(teacher, digits.train, tmp_path / "a", **TINY)
    assert contents(folder) == contents(tmp_path / "a")
    assert kept.items() <= written_at(folder).items()


def test_worker_with_another_teacher_is_an_error(tmp_path):
    first = tmp_path / "first"

    def make():
        keras.utils.set_random_seed(int(first.exists()))
        first.touch()
        stack = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
        return keras.Sequential(stack)

    with pytest.raises(ValueError, match=r"expected teacher=.* on every worker"):
        label_with_beam(make, "digits", tmp_path / "store", **TINY)
    assert not written_at(tmp_path / "store")


def test_worker_must_see_the_store(teacher, digits, tmp_path):
    plan = beam.Labelling(teacher, digits.train, **TINY).plan
    label(teacher, digits.train, tmp_path / "other", **TINY, top_k=2)
    for name, found in (("none", "no store on"), ("other", "another store on")):
        work = _pipeline.LabelShards(None, plan, str(tmp_path / name), None)
        with pytest.raises(ValueError, match=found):
            work.setup()
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_shards_come_through_staging(teacher, path, digits, tmp_path):
    label(teacher, digits.train, tmp_path / "a", **TINY)
    staging, bad_id = tmp_path / "staging", digits.train.ids()[700]
    again = functools.partial(
        label_with_beam, path, path=tmp_path / "b", staging=str(staging), **TINY
    )
    with pytest.raises(ValueError, match=bad_id):
        again(with_too_bright(bad_id))
    assert contents(tmp_path / "b").keys() == {"soft_targets.json"}
    # What is cut off is made again, what another run has left is not touched.
    next(staging.iterdir()).write_bytes(b"cut")
    (staging / "0123456789abcdef-shard-00000-of-00008.tfrecord").touch()
    again("digits")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(list(staging.iterdir())) == 1


def test_staged_shards_of_a_stopped_run_are_not_computed_again(
    teacher, path, digits, tmp_path
):
    label(teacher, digits.train, tmp_path / "a", **TINY)
    plan = beam.Labelling(teacher, digits.train, **TINY).plan
    (tmp_path / "staging").mkdir()
    for shard in range(plan.num_shards):
        staged = _pipeline.staged(str(tmp_path / "staging"), plan, shard)
        shutil.copy(tmp_path / "a" / plan.file_name(shard), staged)
    # Which cannot be computed.
    data = with_too_bright(digits.train.ids()[700])
    label_with_beam(
        path, data, tmp_path / "b", staging=str(tmp_path / "staging"), **TINY
    )
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


class IdleRunner(PipelineRunner):
    """Says that a pipeline is done, or cancelled, and does nothing."""

    state = PipelineState.DONE

    def run_pipeline(self, pipeline, options):
        result = PipelineResult(self.state)
        result.wait_until_finish = lambda: self.state
        return result


class CancelledRunner(IdleRunner):
    state = PipelineState.CANCELLED


@pytest.mark.parametrize(
    ("runner", "expected"),
    [
        ("IdleRunner", "expected the workers' shards in"),
        ("CancelledRunner", "got CANC"),
    ],
)
def test_success_is_what_lies_in_the_folder(path, runner, expected, tmp_path):
    options = [f"--runner={__name__}.{runner}"]
    with pytest.raises(ValueError, match=expected):
        label_with_beam(
            path, "digits", tmp_path / "store", pipeline_options=options, **TINY
        )


def test_missing_beam_is_told_before_anything_else(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(ValueError, match=r"pip install .keras-kd\[beam\]"):
        label_with_beam(None, None, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_beam_is_not_imported_unasked():
    program = "import sys, keras_kd.teachers; print('apache_beam' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"teacher": "missing.keras"}, "missing.keras.*every worker sees"),
        ({"teacher": keras.Sequential()}, "got a Sequential"),
        ({"teacher": []}, "the path of a .keras file"),
        ({"dataset": 3}, "the name of a data set"),
        ({"dataset": "digit"}, 'Did you mean "digits"'),
        ({"dataset": lambda: None}, "examples as dicts"),
        ({"tasks": 0}, "`tasks` to be a number above 0"),
        ({"tasks": 1.5}, "`tasks` to be an int"),
        ({"staging": "nowhere://folder"}, "that Beam reaches"),
        ({"top_k": 10}, "top_k below the 10 classes"),
    ],
)
def test_wrong_argument_is_an_error_before_work_starts(
    path, changed, expected, tmp_path
):
    arguments = {"teacher": path, "dataset": "digits", "path": tmp_path / "store"}
    with pytest.raises(ValueError, match=expected):
        label_with_beam(**{**arguments, **changed})
    assert not (tmp_path / "store").exists()

"""`keras-kd distill --student auto`: from a teacher and limits to a file."""

import json
import os
import signal
import time

import keras
import pytest

from keras_kd._checks import DeviceError
from keras_kd.cli import _automatic
from keras_kd.cli._automatic import AutomaticRun
from keras_kd.export import LiteRtModel, verify
from keras_kd.students import convnet
from tests.cli.command import run, start

SETTINGS = {
    "alpha": 0.1,
    "temperature": 4.0,
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 0.01,
    "crop": 0,
    "flip": False,
    "seed": 0,
}


@pytest.fixture(scope="module")
def teacher(digits, tmp_path_factory):
    """The path of a trained teacher."""
    path = tmp_path_factory.mktemp("models") / "teacher.keras"
    keras.utils.set_random_seed(0)
    model = convnet((8, 8, 1), 10, width=32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(digits.train.batches(32, shuffle_seed=0), epochs=4, verbose=0)
    model.save(path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache of measured students that no other run has filled."""
    folder = tmp_path_factory.getbasetemp() / "keras_home"
    monkeypatch.setenv("KERAS_HOME", str(folder))


def automatic(teacher, out, *more):
    return ("distill", "--student", "auto", "--teacher", teacher, "--out", out, *more)


def in_process(teacher, digits, folder):
    folder.mkdir(exist_ok=True)
    return AutomaticRun(
        keras.models.load_model(teacher),
        digits,
        limits={"max_size_bytes": 13_000},
        target=None,
        making={"precision": "int8", "divisor": 4, "depths": (1.0,)},
        settings=SETTINGS,
        folder=folder,
    )


@pytest.mark.slow
def test_the_file_fits_is_good_and_is_what_the_summary_says(teacher, digits, tmp_path):
    out = tmp_path / "run"
    limits = ("--max-size", "13kB", "--ram", "32KiB", "--max-latency", "1s")
    more = ("--target", "microcontroller", "--epochs", 12, "--learning-rate", 0.01)
    shown = run(*automatic(teacher, out, *limits, *more))
    file = out / "student-int8.tflite"
    assert 0.6 * 13_000 < os.path.getsize(file) <= 13_000
    names = {path.name for path in out.iterdir()}
    results = json.loads((out / "results.json").read_text())
    kept = (
        {"student-int8.csv", "student-int8.keras"}
        if results["trained_for_integers"]
        else set()
    )
    assert names == kept | {
        "budget.png",
        "results.json",
        "student-int8.json",
        "student-int8.tflite",
        "student.csv",
        "student.keras",
    }
    rows = {row["kind"]: row for row in results["rows"]}
    x, y = digits.test.arrays()
    accuracy = float((LiteRtModel(file)(x).argmax(-1) == y).mean())
    assert rows["tflite"]["accuracy"] == pytest.approx(accuracy)
    assert accuracy > 0.93
    assert f"{accuracy:.1%}" in shown
    assert f"{os.path.getsize(file):,}" in shown
    assert "13,000" in shown
    assert "It runs on the target microcontroller" in shown
    assert results["tried"]
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.slow
def test_killed_it_goes_on_with_the_same_command(teacher, tmp_path):
    out = tmp_path / "run"
    arguments = automatic(teacher, out, "--max-params", "6k", "--epochs", 40)
    process = start(*arguments)
    deadline = time.monotonic() + 180
    while not list(out.glob("checkpoint/epoch-*")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (epoch,) = out.glob("checkpoint/epoch-*")
    done = int(epoch.name.split("-")[1])
    assert f"Going on after epoch {done} of 40" in run(*arguments)
    assert not list(out.glob("checkpoint*"))


@pytest.mark.slow
@pytest.mark.parametrize("is_better", [True, False])
def test_student_that_loses_as_int8_is_trained_for_it(
    teacher, digits, tmp_path, monkeypatch, is_better
):
    # The first file of the student is said to be bad, the second good or worse.
    scores = iter([0.5, 0.9 if is_better else 0.4, 0.9])
    measured = _automatic._accuracy

    def said(predict, model, dataset):
        is_file = isinstance(predict, LiteRtModel)
        return next(scores) if is_file else measured(predict, model, dataset)

    monkeypatch.setattr(_automatic, "_accuracy", said)
    out = tmp_path / "run"
    in_process(teacher, digits, out).run()
    results = json.loads((out / "results.json").read_text())
    assert results["trained_for_integers"] == is_better
    assert (out / "student-int8.keras").exists() == is_better
    assert (out / "student-int8.csv").exists() == is_better
    model = "student-int8.keras" if is_better else "student.keras"
    report = verify(
        out / "student-int8.tflite", keras.models.load_model(out / model), digits.test
    )
    assert report.keras_agreement > 0.97
    assert not list(out.glob("checkpoint*"))


@pytest.mark.slow
def test_stopped_at_the_end_it_trains_nothing_again(
    teacher, digits, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    monkeypatch.setattr(_automatic, "WORTH_TRAINING", -1)

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AutomaticRun, "_save", stop)
        with pytest.raises(KeyboardInterrupt):
            in_process(teacher, digits, out).run()
    assert sorted(path.name for path in out.glob("checkpoint*")) == [
        "checkpoint",
        "checkpoint-integers",
    ]
    monkeypatch.setattr("keras_kd.cli._training.EpochProgress.on_epoch_end", stop)
    in_process(teacher, digits, out).run()
    assert (out / "results.json").exists()


@pytest.mark.slow
def test_untrained_teacher_is_noticed(digits, tmp_path, capsys):
    path = tmp_path / "teacher.keras"
    model = convnet((8, 8, 1), 10, width=32)
    model.get_layer("logits").kernel.assign(0 * model.get_layer("logits").kernel)
    model.save(path)
    in_process(path, digits, tmp_path / "run").run()
    assert "little better than chance" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, (None, "host")),
        ("mobile", ("mobile", "host")),
        ("microcontroller", ("microcontroller", "host")),
        ("cortex-m4", ("microcontroller", "host")),
        ("browser", ("browser", "browser")),
        ("linux", ("mobile", "linux")),
        ("ssh:pi@board", ("mobile", "ssh:pi@board")),
        ("android", ("mobile", "android")),
    ],
)
def test_target_tells_where_it_must_run_and_where_it_is_timed(target, expected):
    assert _automatic.places(target) == expected


@pytest.mark.slow
def test_a_device_that_is_gone_at_the_end_costs_its_time_only(
    teacher, digits, tmp_path, monkeypatch, capsys
):
    def gone(path, *, target):
        raise DeviceError("browser: it is gone")

    monkeypatch.setattr(_automatic, "measure", gone)
    out = tmp_path / "run"
    in_process(teacher, digits, out).run()
    assert "Not timed: browser: it is gone" in capsys.readouterr().out
    *_, row = json.loads((out / "results.json").read_text())["rows"]
    assert row["latency_ms"] is None
    assert row["accuracy"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "a limit with --student auto"),
        (["--max-size", "1kB"], "smallest reachable"),
        (["--max-size", "much"], "--max-size as 250000"),
        (["--max-params", "5k", "--precision", "int7"], "--precision"),
        (["--max-params", "5k", "--target", "moon"], "--target` to be one of 'mobile'"),
    ],
)
def test_what_cannot_be_done_is_one_line(teacher, options, message, tmp_path):
    line = run(*automatic(teacher, tmp_path / "run", *options), code=2)
    assert len(line.strip().splitlines()) == 1
    assert message in line
    assert not list(tmp_path.glob("run/*"))


def test_teacher_of_other_images_is_one_line(tmp_path):
    path = tmp_path / "teacher.keras"
    convnet((32, 32, 3), 10, width=16).save(path)
    line = run(*automatic(path, tmp_path / "run", "--max-size", "9kB"), code=2)
    assert len(line.strip().splitlines()) == 1
    assert "(None, 32, 32, 3)" in line
    assert "(270, 8, 8, 1)" in line


@pytest.mark.slow
def test_limits_are_for_a_student_that_is_made(teacher, tmp_path):
    line = run(
        *("distill", "--student", teacher, "--teacher", teacher),
        *("--max-size", "9kB", "--out", tmp_path / "run"),
        code=2,
    )
    assert "--student auto with --max-size" in line


def test_stored_soft_targets_are_no_teacher_to_shrink(tmp_path):
    line = run(
        *("distill", "--student", "auto", "--soft-targets", tmp_path),
        *("--max-size", "9kB", "--out", tmp_path / "run"),
        code=2,
    )
    assert "--teacher with --student auto" in line

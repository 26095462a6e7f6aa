"""`keras-kd label`, and `keras-kd distill --soft-targets`."""

import json
import signal
import time

import keras
import numpy as np
import pytest

from keras_kd.students import convnet
from keras_kd.teachers import SoftTargets
from tests.cli.command import run, start

DISTILL = ["distill", "--student", "student.keras"]
SOFT = [*DISTILL, "--soft-targets", "soft"]


@pytest.fixture(scope="module")
def models(digits, tmp_path_factory):
    """A folder with teacher.keras and student.keras."""
    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    teacher = convnet((8, 8, 1), 10, width=16)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile(keras.optimizers.Adam(0.01), loss)
    teacher.fit(digits.train.batches(32, shuffle_seed=0), epochs=4, verbose=0)
    teacher.save(folder / "teacher.keras")
    convnet((8, 8, 1), 10, width=5).save(folder / "student.keras")
    return folder


def label(models, out, *more):
    return ("label", "--teacher", models / "teacher.keras", "--out", out, *more)


def distill(models, soft, out, *more):
    student = models / "student.keras"
    return (
        *("distill", "--soft-targets", soft, "--student", student, "--out", out),
        *more,
    )


@pytest.mark.slow
def test_label_then_distill_without_the_teacher(models, digits, tmp_path):
    soft, out = tmp_path / "soft", tmp_path / "run"
    options = ("--views", 2, "--crop", 1, "--flip", "--batch-size", 64, "--top-k", 4)
    shown = run(*label(models, soft, *options))
    assert "1,974/1,974" in shown.replace("1974/1974", "1,974/1,974")
    assert max(map(len, shown.splitlines()[:-1])) <= 80
    store = SoftTargets(soft)
    assert (store.views, store.plan.top_k, store.count) == (2, 4, len(digits.train))
    (line,) = [line for line in shown.splitlines() if line.startswith("Next: ")]
    assert f"--soft-targets {soft}" in line
    assert line.endswith("--crop 1 --flip")

    shown = run(
        *distill(models, soft, out, "--crop", 1, "--flip", "--epochs", 10),
        *("--learning-rate", 0.01),
    )
    (student,) = json.loads((out / "results.json").read_text())["rows"]
    # Mirrored digits are hard for both; chance is 0.1.
    assert student["accuracy"] > 0.5
    assert student["teacher_agreement"] is None
    assert f"{student['accuracy']:.1%}" in shown
    assert np.isfinite(
        keras.models.load_model(out / "student.keras").get_weights()[0]
    ).all()


@pytest.mark.slow
def test_stopped_labelling_goes_on_with_the_same_command(models, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "soft"
    # One file a view, so that there is a moment between two of them.
    arguments = label(models, out, "--views", 20, "--crop", 1, "--batch-size", 32)
    process = start(*arguments)
    while not list(out.glob("shard-*")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert "the same command goes on" in stdout
    assert "Run the same command again to go on from here." in stderr
    assert "Traceback" not in stderr
    done = {path.name: path.stat().st_mtime_ns for path in out.glob("shard-*")}
    assert 0 < len(done) < 20
    run(*arguments)
    run(*label(models, whole, *arguments[5:]))
    for path in whole.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()
    for name, modified in done.items():
        assert (out / name).stat().st_mtime_ns == modified


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["label", "--teacher", "no.keras"], "no.keras"),
        (["label", "--teacher", "teacher.keras", "--part", "tset"], 'mean "test"'),
        (["label", "--teacher", "teacher.keras", "--top-k", "10"], "Leave out top_k"),
        (["label", "--teacher", "teacher.keras", "--image-size", "9"], "the teacher"),
        (["label", "--teacher", "teacher.keras", "--out", "bad"], "can be made"),
        (DISTILL, "--teacher or --soft-targets"),
        ([*DISTILL, "--soft-targets", "no"], "an existing file"),
        (
            [*SOFT, "--crop", "2"],
            "--crop and --flip as at labelling: random_crop(1)",
        ),
        (
            [*SOFT, "--crop", "1", "--data", "npz:other.npz"],
            "another example",
        ),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(models, arguments, message):
    if "soft" in arguments and not (models / "soft").exists():
        run(*label(models, models / "soft", "--crop", 1))
    (models / "bad").write_bytes(b"")
    generator = np.random.default_rng(0)
    x, y = generator.random((200, 8, 8, 1)), np.arange(200) % 10
    np.savez(models / "other.npz", x=x, y=y)
    (line,) = run(*arguments, code=2, cwd=models).strip().splitlines()
    assert line.startswith("Error ")
    assert message in line

"""The command line as a person uses it."""

import json
import signal
import time

import keras
import numpy as np
import pytest

from keras_kd.export import convert
from keras_kd.report import read_run
from keras_kd.students import convnet
from tests.cli.command import run, start


@pytest.fixture(scope="module")
def models(digits, tmp_path_factory):
    """A folder with teacher.keras, student.keras and student.tflite."""
    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    teacher = convnet((8, 8, 1), 10, width=20)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile(keras.optimizers.Adam(0.01), loss)
    teacher.fit(digits.train.batches(32, shuffle_seed=0), epochs=4, verbose=0)
    teacher.save(folder / "teacher.keras")
    student = convnet((8, 8, 1), 10, width=5)
    student.save(folder / "student.keras")
    convert(student, folder / "student.tflite", precision="float32")
    return folder


def distill(models, out, *more):
    return (
        "distill",
        "--teacher",
        models / "teacher.keras",
        "--student",
        models / "student.keras",
        "--out",
        out,
        *more,
    )


@pytest.mark.slow
def test_distill_export_verify_and_benchmark(models, tmp_path):
    out = tmp_path / "run"
    shown = run(*distill(models, out, "--epochs", 15, "--learning-rate", 0.01))
    results = json.loads((out / "results.json").read_text())
    teacher, student = results["rows"]
    assert student["accuracy"] > 0.9
    assert student["params"] * 10 < teacher["params"]
    assert results["settings"]["epochs"] == 15
    assert f"{student['accuracy']:.1%}" in shown
    assert sorted(path.name for path in out.iterdir()) == [
        "results.json",
        "student.csv",
        "student.keras",
    ]
    command = [line for line in shown.splitlines() if line.startswith("Next: keras-kd")]
    assert command

    run(
        "export",
        out / "student.keras",
        "--out",
        out,
        "--precision",
        "float32,int8",
        "--data",
        "digits",
    )
    file = out / "student-int8.tflite"
    assert json.loads(file.with_suffix(".json").read_text())["precision"] == "int8"
    shown = run("verify", file, "--model", out / "student.keras")
    assert "accuracy of the file" in shown
    shown = run("benchmark", file, out / "student-float32.tflite", "--runs", 20)
    assert "host CPU" in shown
    assert "student-float32" in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    "end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"]
)
def test_distill_that_was_stopped_goes_on_and_leaves_nothing_half(
    models, tmp_path, end
):
    out = tmp_path / "run"
    arguments = distill(models, out, "--epochs", 60)
    process = start(*arguments)
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoint/epoch-*")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(end)
    stdout, stderr = process.communicate()
    assert process.returncode != 0
    assert "the same command goes on" in stdout
    if end == signal.SIGINT:
        assert "Run the same command again" in stderr
        assert "Traceback" not in stderr
    assert [path.name for path in out.iterdir()] == ["checkpoint"]
    (epoch,) = out.glob("checkpoint/epoch-*")
    done = int(epoch.name.split("-")[1])
    shown = run(*arguments)
    assert f"Going on after epoch {done} of 60" in shown
    curves = read_run(out).histories["student"]
    assert curves["epoch"] == list(range(60))
    assert sorted(path.name for path in out.iterdir()) == [
        "results.json",
        "student.csv",
        "student.keras",
    ]


@pytest.mark.slow
def test_distill_refuses_to_go_on_with_other_settings(models, tmp_path):
    from keras_kd.distiller import Checkpoint

    out = tmp_path / "run"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    checkpoint = Checkpoint(out / "checkpoint", {"alpha": 0.7}, monitor=None)
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {})
    message = run(*distill(models, out), code=2)
    assert "choose another folder" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["distill", "--teacher", "no.keras", "--student", "no.keras"], "no.keras"),
        (["export", "no.keras"], "Check the path"),
        (["benchmark", "no.tflite"], "a .tflite file that LiteRT can run"),
        (["benchmark", "student.tflite", "--target", "moon"], "one of 'host'"),
        (["verify", "student.tflite", "--model", "bad.keras"], "a .keras file"),
        (["verify", "bad.keras", "--model", "student.keras"], "a .tflite file"),
        (["export", "student.keras", "--data", "digit"], 'Did you mean "digits"'),
        (["export", "student.keras", "--precision", "float32,int3"], "Did you mean"),
        (["export", "student.keras"], "--data for int8"),
        (
            ["export", "student.keras", "--data", "digits", "--out", "bad.keras"],
            "can be made",
        ),
        (
            ["export", "student.keras", "--data", "digits", "--image-size", "0"],
            "96 or 96x128",
        ),
        (
            ["export", "student.keras", "--data", "digits", "--image-size", "4"],
            "calibration_data of shape",
        ),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(models, arguments, message):
    (models / "bad.keras").write_bytes(b"no model")
    (line,) = run(*arguments, code=2, cwd=models).strip().splitlines()
    assert line.startswith("Error ")
    assert message in line


@pytest.mark.parametrize("rate", ["nan", "-1"])
def test_learning_rate_must_be_positive(models, tmp_path, rate):
    out = tmp_path / "run"
    message = run(*distill(models, out, "--learning-rate", rate), code=2)
    assert "`learning_rate` to be a number above 0" in message


@pytest.mark.slow
def test_training_that_diverges_is_an_error_and_writes_no_student(models, tmp_path):
    out = tmp_path / "run"
    message = run(*distill(models, out, "--learning-rate", "1e30"), code=2)
    assert "NaN or inf" in message
    assert not (out / "student.keras").exists()


def test_alpha_out_of_range_is_one_line(models, tmp_path):
    message = run(*distill(models, tmp_path / "run", "--alpha", 2), code=2)
    assert len(message.strip().splitlines()) == 1
    assert "`alpha` to be a number in [0, 1], got 2.0" in message


def program(*arguments):
    """The exit code of the program itself, and what it prints to stderr."""
    process = start(*arguments)
    _, stderr = process.communicate(timeout=300)
    return process.returncode, stderr


def test_the_program_itself_hides_native_logs_and_ends_with_2(models):
    damaged = models / "damaged.tflite"
    damaged.write_bytes((models / "student.tflite").read_bytes()[:2000])
    code, stderr = program("benchmark", damaged)
    assert code == 2
    (line,) = stderr.splitlines()
    assert line.startswith("Error ")


@pytest.mark.slow
def test_debug_shows_the_traceback(tmp_path):
    code, stderr = program("export", tmp_path / "no.keras", "--debug")
    assert code == 1
    assert "Traceback" in stderr


def test_help_names_every_command():
    shown = run("--help")
    for name in ("demo", "distill", "export", "verify", "benchmark"):
        assert name in shown
        assert "Options" in run(name, "--help")


@pytest.mark.slow
def test_demo_keeps_its_promises(tmp_path):
    out = tmp_path / "demo"
    shown = run("demo", "--out", out)
    results = json.loads((out / "results.json").read_text())
    rows = {row["name"]: row for row in results["rows"]}
    teacher, scratch, student = rows["teacher"], rows["scratch"], rows["distilled"]
    assert [row["kind"] for row in results["rows"]].count("tflite") == 7
    assert teacher["accuracy"] >= 0.98
    assert student["params"] * 10 <= teacher["params"]
    assert student["params"] == scratch["params"]
    assert student["accuracy"] >= 0.95 * teacher["accuracy"]
    int8 = rows["student, int8"]
    assert int8["accuracy"] >= student["accuracy"] - 0.01
    few = results["few_labels"]
    low = rows[f"distilled, {few} labels"]["accuracy_ci95"][0]
    assert low > rows[f"scratch, {few} labels"]["accuracy_ci95"][1]
    for row in results["rows"]:
        assert row["accuracy_ci95"][0] <= row["accuracy"] <= row["accuracy_ci95"][1]
        is_file = row["kind"] == "tflite"
        assert (row["latency_ms"] is not None) == is_file
        assert is_file == (str(row["measured_on"]).startswith("host CPU"))
    assert results["seed"] == 0
    assert {"keras", "tensorflow", "ai-edge-litert"} <= set(results["versions"])
    for name in ("teacher.keras", "distilled.keras", "student-int8.json"):
        assert (out / name).exists(), name
    assert max(map(len, shown.splitlines())) <= 80
    assert f"{int8['size_bytes'] / 1000:.1f} kB" in shown
    loaded = keras.models.load_model(out / "distilled.keras")
    assert np.isfinite(loaded.get_weights()[0]).all()

"""`keras-kd report` and `keras-kd explain`."""

import json

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from keras_kd.students import convnet
from tests.cli.command import run


@pytest.fixture(scope="module")
def models(digits, tmp_path_factory):
    """A folder with teacher.keras, student.keras and scratch.keras."""
    folder = tmp_path_factory.mktemp("models")
    for name, width, epochs in (
        ("teacher", 8, 3),
        ("student", 4, 2),
        ("scratch", 4, 1),
    ):
        keras.utils.set_random_seed(0)
        model = convnet((8, 8, 1), 10, width=width)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss)
        model.fit(digits.train.batches(32, shuffle_seed=0), epochs=epochs, verbose=0)
        model.save(folder / f"{name}.keras")
    return folder


@pytest.mark.slow
def test_report_is_written_where_it_says(models, tmp_path):
    out = tmp_path / "page.html"
    shown = run("report", models, "--data", "digits", "--out", out)
    assert f"Open {out} in a browser." in shown.replace("\n", "")
    text = out.read_text()
    assert "No results.json" in text
    assert "Where they look</h3>" in text


def test_report_of_nothing_is_one_line(tmp_path):
    shown = run("report", tmp_path / "none", "--out", tmp_path / "a.html", code=2)
    assert len(shown.splitlines()) == 1
    assert "folder of a run" in shown
    assert not (tmp_path / "a.html").exists()


@pytest.mark.slow
def test_explain_writes_pictures_and_numbers(models, digits, tmp_path):
    roles = ("teacher", "student", "scratch")
    given = [part for role in roles for part in (f"--{role}", models / f"{role}.keras")]
    shown = run("explain", *given, "--images", 12, "--out", tmp_path / "out")
    assert max(map(len, shown.splitlines())) <= 80 + len(str(tmp_path))
    found = json.loads((tmp_path / "out" / "explain.json").read_text())
    x, y = digits.test.arrays()
    logits = {
        role: keras.models.load_model(models / f"{role}.keras").predict(x, verbose=0)
        for role in roles
    }
    is_right = {role: logits[role].argmax(1) == y for role in roles}
    assert found["outcomes"]["against"] == "scratch"
    helped = np.sum(is_right["student"] & ~is_right["scratch"])
    assert found["outcomes"]["helped"] == helped
    soft = softmax(logits["teacher"] / 4.0, axis=1)
    expected = [soft[y == label].mean(0) for label in range(10)]
    similarity = found["soft_targets"]["class_similarity"]
    np.testing.assert_allclose(similarity, expected, atol=1e-5)
    agreement = found["maps"]["agreement_with_teacher"]
    assert agreement.keys() == {"student", "scratch"}
    assert len(found["maps"]["images"]) == 12
    for name in ("maps", "outcomes", "reliability", "soft_targets"):
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert min(picture.size) > 200


@pytest.mark.slow
def test_explain_of_other_data_is_one_line(models, tmp_path):
    x, y = np.zeros((40, 8, 8, 1), "float32"), np.arange(40) % 4
    np.savez(tmp_path / "four.npz", x=x, y=y)
    shown = run(
        "explain",
        "--teacher",
        models / "teacher.keras",
        "--student",
        models / "student.keras",
        "--data",
        f"npz:{tmp_path / 'four.npz'}",
        "--out",
        tmp_path / "out",
        code=2,
    )
    assert len(shown.splitlines()) == 1
    assert "4 classes" in shown

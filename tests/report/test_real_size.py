"""The page of a run on photos of 1,000 classes."""

import pytest

from keras_kd.cli import _results
from keras_kd.export import convert
from keras_kd.report import write_report
from tests.real_size import CLASSES

MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def photo_run(mobilenet_v2, small_mobilenet, small_photos, tmp_path_factory):
    """A folder as `keras-kd distill` and `export` leave it, of 96 pixel photos."""
    folder = tmp_path_factory.mktemp("runs") / "photos"
    folder.mkdir()
    x, y = small_photos.test.arrays()
    x, y = x[:100], y[:100]
    rows = []
    for name, kind, model in (
        ("teacher", "teacher", mobilenet_v2),
        ("student", "distilled", small_mobilenet),
    ):
        model.save(folder / f"{name}.keras")
        row = _results.keras_row(name, kind, model, mobilenet_v2, x, y, labels=550)
        rows.append(row)
    path = folder / "student-float32.tflite"
    labels = small_photos.class_names
    manifest = convert(small_mobilenet, path, precision="float32", labels=labels)
    models = small_mobilenet, mobilenet_v2
    row = _results.tflite_row(
        "student", manifest, path, *models, x[:20], y[:20], labels=550, latency=None
    )
    _results.write(folder / "results.json", [*rows, row], seed=0)
    return folder


@pytest.mark.slow
def test_page_of_1000_classes_is_whole_and_bounded(
    photo_run, small_photos, mobilenet_v2, small_mobilenet, tmp_path
):
    path = write_report(photo_run, tmp_path / "report.html", data=small_photos)
    text = path.read_text(encoding="utf-8")
    for title in (
        "Which class was taken for which",
        "Whom the teacher helped",
        "What the teacher&#39;s soft targets say",
        "As sure as right?",
        "Where they look",
    ):
        assert title in text
    for model in (mobilenet_v2, small_mobilenet):
        assert f"{model.count_params():,}" in text
    assert path.stat().st_size < MOST_BYTES
    # No table has a line for each of the classes.
    assert text.count("<tr") < CLASSES / 2

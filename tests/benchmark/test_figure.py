"""The picture shows the numbers of the table."""

import pytest

from keras_kd.benchmark import BenchmarkRow, BenchmarkTable, Measurement, figure_of
from keras_kd.export import accuracy


def row(model, precision, target, size, p50, right, *, accelerator="CPU"):
    score = right and accuracy([1] * right + [0] * (100 - right), [1] * 100)
    measurement = Measurement(
        target, target, "m", "LiteRT", accelerator=accelerator, p50_ms=p50
    )
    file = f"{model}-{precision}.tflite"
    return BenchmarkRow(model, precision, file, size, target, measurement, score)


ROWS = (
    row("teacher", "float32", "host", 90_000, 2.0, 98),
    row("student", "float32", "host", 20_000, 0.5, 95),
    row("student", "int8", "host", 9_000, 0.25, 94),
    row("student", "int8", "android", 9_000, 0.1, 94, accelerator="GPU"),
    row("student", "int8", "microcontroller", 9_000, None, 93),
    row("student", "int8", "browser", 9_000, 1.0, None),
    BenchmarkRow("student", "int8", "f", 9_000, "ssh:board", failure="unplugged"),
)


@pytest.fixture
def panels():
    figure = figure_of(BenchmarkTable(ROWS))
    return figure, *figure.axes


def points(axes):
    return sorted(
        (round(float(x), 6), round(float(y), 6))
        for line in axes.lines
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    )


def test_first_panel_is_accuracy_against_latency_where_there_are_both(panels):
    _, latency, _ = panels
    assert points(latency) == [(0.1, 94), (0.25, 94), (0.5, 95), (2.0, 98)]
    assert "ms" in latency.get_xlabel()
    assert "accuracy" in latency.get_ylabel()
    assert latency.get_xscale() == "log"


def test_second_panel_is_accuracy_against_size_and_targets_that_agree_are_one(panels):
    _, _, size = panels
    assert points(size) == [(9, 93), (9, 94), (20, 95), (90, 98)]
    assert "kB" in size.get_xlabel()


def test_intervals_are_drawn(panels):
    _, latency, _ = panels
    (segments,) = (
        container[2][0].get_segments() for container in latency.containers[:1]
    )
    low, high = (100 * bound for bound in ROWS[0].accuracy.ci95)
    assert segments[0][:, 1].tolist() == pytest.approx([low, high])


def test_legend_names_targets_precisions_and_models_apart(panels):
    figure, latency, _ = panels
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    for name in ("host", "android, GPU", "microcontroller", "float32", "int8"):
        assert texts.count(name) == 1
    assert {"teacher", "student"} <= set(texts)
    looks = {
        (line.get_color(), line.get_marker(), line.get_fillstyle())
        for line in latency.lines
    }
    assert len(looks) == len(latency.lines)


def test_it_can_be_written(panels, tmp_path):
    figure, *_ = panels
    figure.savefig(tmp_path / "benchmark.png")
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_table_without_accuracy_has_no_picture():
    with pytest.raises(ValueError, match="Pass data to table_of"):
        figure_of(BenchmarkTable(ROWS[-2:]))


def test_targets_without_times_leave_the_first_panel_with_a_word():
    latency, size = figure_of(BenchmarkTable(ROWS[4:5])).axes
    assert latency.texts[0].get_text() == "no target gives times"
    assert points(size) == [(9.0, 93)]

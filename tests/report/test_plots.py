"""Figures show the numbers that they were given."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from keras_kd import explain, report
from keras_kd._checks import InvalidInputError
from keras_kd.report.looks import of_each_class

NAMES = ["cat", "dog", "<script>", "5$ to $7"]


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 4, 60)


@pytest.fixture
def logits(labels):
    noise = np.random.default_rng(1).normal(size=(60, 4))
    return 2.0 * np.eye(4)[labels] + noise


def row(run="a", kind="distilled", precision="float32", latency_ms=None, **more):
    given = {"params": 100, "size_bytes": 4000, "labels": 9, "accuracy": 0.9}
    given |= {"name": kind, "accuracy_ci95": (0.8, 0.95)} | more
    return report.ResultRow(
        run=run, kind=kind, precision=precision, latency_ms=latency_ms, **given
    )


def numbers_of(panel):
    """The texts of a panel of squares, `(rows, columns)`."""
    size = len(panel.get_xticks())
    texts = [text.get_text() for text in panel.texts]
    return np.reshape(texts, (size, size))


def points_of(panel):
    """The points with an interval: a sorted list of x and y."""
    lines = [line for line, _, _ in panel.containers]
    return sorted(
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines
    )


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_confusion_counts_as_scikit_learn_does(labels, logits):
    chosen = logits.argmax(1)
    figure = report.confusion(labels, chosen, NAMES)
    shown = np.vectorize(lambda text: int(text or 0))(numbers_of(figure.axes[0]))
    assert (shown == confusion_matrix(labels, chosen)).all()
    colours = figure.axes[0].images[0].get_array()
    expected = 100 * confusion_matrix(labels, chosen, normalize="true")
    np.testing.assert_allclose(colours, expected)


def test_soft_targets_are_per_cent_and_the_diagonal_has_no_colour():
    matrix = np.array([[0.9, 0.1], [0.25, 0.75]])
    panel = report.soft_target_matrix(matrix, ["a", "b"]).axes[0]
    assert numbers_of(panel).tolist() == [["90", "10"], ["25", "75"]]
    colours = panel.images[0].get_array()
    assert np.ma.getmaskarray(colours).tolist() == [[True, False], [False, True]]
    assert colours[1, 0] == pytest.approx(25)


def test_many_classes_have_no_numbers_and_few_names():
    panel = report.soft_target_matrix(
        np.eye(100), [f"class {n}" for n in range(100)]
    ).axes[0]
    assert not panel.texts
    assert len(panel.get_xticks()) <= 30


def test_rows_are_points_with_their_intervals():
    rows = [row(size_bytes=2000, accuracy=0.9), row(size_bytes=8000, accuracy=0.85)]
    panel = report.accuracy_by_size(rows).axes[0]
    assert points_of(panel) == [(2.0, 90.0), (8.0, 85.0)]
    segments = panel.containers[0][2][0].get_segments()
    assert segments[0][:, 1].tolist() == pytest.approx([80, 95])


def test_short_times_are_in_microseconds_and_long_ones_in_milliseconds():
    for p50, shown, unit in ((0.02, 20.0, "µs"), (3.0, 3.0, "ms")):
        rows = [row(), row(kind="tflite", latency_ms={"p50": p50})]
        panel = report.accuracy_by_latency(rows).axes[0]
        assert points_of(panel) == [(pytest.approx(shown), 90.0)]
        assert unit in panel.get_xlabel()


def test_runs_are_told_apart():
    figure = report.accuracy_by_size([row("first"), row("second")])
    assert {"first", "second"} <= set(legend_of(figure))
    lines = [line for line, _, _ in figure.axes[0].containers]
    assert len({line.get_color() for line in lines}) == 2


def test_curves_are_those_of_the_history():
    history = {"loss": [2.0, 1.0], "val_loss": [2.5, 2.0], "accuracy": [0.5, 0.75]}
    loss, accuracy = report.learning_curves(history).axes
    assert [list(line.get_ydata()) for line in loss.lines[:2]] == [[2, 1], [2.5, 2]]
    assert list(accuracy.lines[0].get_ydata()) == [50, 75]
    assert list(accuracy.lines[0].get_xdata()) == [1, 2]


def test_several_histories_are_named_once():
    history = {"loss": [2.0, 1.0], "accuracy": [0.5, 0.75]}
    figure = report.learning_curves({"scratch": history, "distilled": history})
    assert legend_of(figure) == ["scratch", "distilled", "training", "validation"]


def test_reliability_has_a_point_for_every_filled_bin(labels, logits):
    found = explain.reliability(logits, labels)
    panel = report.reliability_diagram({"student": found}).axes[0]
    points = np.asarray(panel.collections[0].get_offsets())
    filled = found.count > 0
    expected = 100 * np.stack([found.confidence[filled], found.accuracy[filled]], 1)
    np.testing.assert_allclose(points, expected)


def test_bars_are_the_outcomes(labels, logits):
    other = np.roll(logits, 1, axis=0)
    found = explain.outcomes(labels, logits, logits, other)
    panel = report.outcome_bars(found, NAMES).axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in panel.containers]
    ours, theirs = logits.argmax(1) == labels, other.argmax(1) == labels
    helped = np.bincount(labels[ours & ~theirs], minlength=4)
    hurt = np.bincount(labels[~ours & theirs], minlength=4)
    assert np.array(heights).tolist() == [helped.tolist(), (-hurt).tolist()]


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_lie_on_their_images(channels):
    generator = np.random.default_rng(0)
    images = generator.uniform(-1, 1, (3, 8, 6, channels))
    maps = {name: generator.uniform(size=(3, 8, 6)) for name in ("teacher", "student")}
    figure = report.map_grid(images, maps, ["a", "b", "c"])
    panels = np.reshape(figure.axes, (3, 3))
    for row_number, values in enumerate(maps.values(), start=1):
        for number, panel in enumerate(panels[row_number]):
            np.testing.assert_array_equal(panel.images[1].get_array(), values[number])
    assert [panel.get_title() for panel in panels[0]] == ["a", "b", "c"]


def test_images_of_every_class_are_shown_before_a_second_of_one():
    labels = np.array([2, 2, 0, 2, 1, 0])
    assert of_each_class(labels, 5).tolist() == [2, 4, 0, 5, 1]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: report.confusion([0, 1], [0], NAMES), "one shape"),
        (lambda: report.confusion([0, 4], [0, 1], NAMES), "from 0 to 3"),
        (lambda: report.confusion([0.5], [0.0], NAMES), "from 0 to 3"),
        (lambda: report.soft_target_matrix(np.eye(3), NAMES), "4 rows"),
        (lambda: report.learning_curves({"accuracy": [1.0]}), '"loss"'),
        (lambda: report.learning_curves(None), '"loss"'),
        (lambda: report.accuracy_by_size([]), "rows"),
        (lambda: report.accuracy_by_latency([row()]), "rows"),
        (lambda: report.reliability_diagram({}), "reliability"),
        (lambda: report.map_grid(np.zeros((2, 8, 8, 2)), {}), "1 or 3 channels"),
        (lambda: report.map_grid(np.zeros((2, 8, 8, 1)), {"a": [0]}), 'maps "a"'),
        (lambda: report.map_grid(np.zeros((2, 8, 8, 1)), {}, ["a"]), "2 names"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(draw, message):
    with pytest.raises(InvalidInputError, match=message):
        draw()

"""What the page makes of drawings, pictures, outputs and times, against NumPy."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_kd.export.normalization import Normalization
from tests.benchmark.browser_tools import evaluate
from tests.programs import need

GREY = {"dtype": "float32", "shape": [1, 8, 8, 1]}
COLOUR = {"dtype": "float32", "shape": [1, 4, 4, 3]}


@pytest.fixture(autouse=True)
def tools():
    need("node")


def test_area_means_are_the_means_of_blocks():
    """As scikit-learn's digits were made: 32x32 dots, counted in blocks of 4x4."""
    dots = np.random.default_rng(0).integers(0, 2, (32, 32, 1))
    image = {"values": dots.ravel().tolist(), "width": 32, "height": 32, "channels": 1}
    box = {"left": 0, "top": 0, "width": 32, "height": 32}
    size = {"width": 8, "height": 8, "channels": 1}
    means = _means(image, box, size)
    expected = dots.reshape(8, 4, 8, 4).mean((1, 3)).ravel()
    np.testing.assert_allclose(means, expected, atol=1e-6)


def test_area_means_split_pixels_and_count_outside_as_paper():
    values = np.random.default_rng(1).random((6, 5, 3))
    image = {"values": values.ravel().tolist(), "width": 5, "height": 6, "channels": 3}
    box = {"left": -1.5, "top": 0.75, "width": 9, "height": 7.5}
    size = {"width": 3, "height": 2, "channels": 3}
    means = _means(image, box, size)
    # A quarter of a pixel is the finest part: all of them, and the mean of each cell.
    fine = np.zeros((80, 80, 3))
    fine[20:44, 20:40] = np.repeat(np.repeat(values, 4, 0), 4, 1)
    top, left = 20 + 3, 20 - 6
    cells = fine[top : top + 30, left : left + 36].reshape(2, 15, 3, 12, 3)
    np.testing.assert_allclose(means, cells.mean((1, 3)).ravel(), atol=1e-6)


@pytest.mark.parametrize("pen", [2, 6, 20])
@pytest.mark.parametrize("place", [(30, 20), (150, 200)])
def test_ink_in_a_small_frame_is_as_dark_as_scikit_learns_digits(pen, place):
    ink = np.zeros((320, 320))
    top, left = place
    ink[top : top + 120, left : left + pen] = 1
    pixels = _drawn(ink, [1, 8, 8, 1])
    assert pixels.mean() == pytest.approx(load_digits().images.mean() / 16, abs=0.01)
    # It touches both edges, in the middle of the frame, wherever it was drawn.
    assert min(pixels[0].max(), pixels[-1].max()) > 0.5
    np.testing.assert_allclose(pixels, pixels[:, ::-1], atol=0.1)
    assert pixels[:, [0, 1, 6, 7]].max() < 0.05


def test_ink_has_its_mass_in_the_middle_of_a_large_frame():
    ink = np.zeros((100, 100))
    ink[10:60, 20:30] = 1
    ink[50:60, 20:45] = 1  # an L: its mass is not in the middle of its box
    pixels = _drawn(ink, [1, 28, 28, 1])
    mass = pixels.sum()
    rows, columns = np.mgrid[:28, :28] + 0.5
    assert (pixels * rows).sum() / mass == pytest.approx(14, abs=0.05)
    assert (pixels * columns).sum() / mass == pytest.approx(14, abs=0.05)
    inked = np.flatnonzero(pixels.max(1) > 0.01)
    assert inked[-1] - inked[0] + 1 in (20, 21)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0), (0.0, 16.0)])
def test_black_and_white_are_the_ends_of_the_range(ends):
    values = _values([0, 0.5, 1], GREY, {"input_range": ends})
    np.testing.assert_allclose(values, [ends[0], np.mean(ends), ends[1]])


@pytest.mark.parametrize("scale", [1, 255])
def test_normalisation_that_the_file_leaves_to_the_program_is_done(scale):
    mean = np.array([0.485, 0.456, 0.406]) * scale
    std = np.array([0.229, 0.224, 0.225]) * scale
    raw = np.array([[0, 0, 0], [1, 1, 1], [0.2, 0.6, 0.9]]) * scale
    normal = (raw - mean) / std
    manifest = {
        "normalization": {"mean": mean.tolist(), "std": std.tolist()},
        "normalization_folded": False,
        "input_range": [normal.min(), normal.max()],
    }
    # The manifest tells the range of normalised values only; it means that of raw ones.
    assert Normalization(tuple(mean), tuple(std)).invert(normal)[1, 0] == scale
    values = _values((raw / scale).ravel().tolist(), COLOUR, manifest)
    np.testing.assert_allclose(values, normal.ravel(), atol=1e-4)
    manifest["input_range"] = None
    values = _values((raw / scale).ravel().tolist(), COLOUR, manifest)
    np.testing.assert_allclose(values, normal.ravel(), atol=1e-4)


def test_normalisation_in_the_file_is_left_to_it():
    manifest = {
        "normalization": {"mean": [0.0], "std": [255.0]},
        "normalization_folded": True,
        "input_range": [0, 255],
    }
    assert _values([0, 1], GREY, manifest) == [0, 255]


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "float32", "shape": [1, 13]},
        {"dtype": "int32", "shape": [1, 8, 8, 1]},
        {"dtype": "float32", "shape": [1, 8, 8, 12]},
        {"dtype": "float32", "shape": [4, 8, 8, 1]},
    ],
)
def test_what_is_no_picture_is_not_drawn(tensor):
    assert evaluate(f"m.picturePlan({_js(tensor)}, null)") is None


def test_logits_become_probabilities_and_probabilities_stay():
    logits = [1.0, -2.0, 700.0, 699.0]
    expected = np.exp(np.array(logits) - 700) / np.exp(np.array(logits) - 700).sum()
    found = _classes(logits, {"output_kind": "logits", "labels": list("abcd")})
    np.testing.assert_allclose([one["value"] for one in found], expected, atol=1e-9)
    assert [one["label"] for one in found] == list("abcd")
    found = _classes([0.25, 0.75], {"output_kind": "softmax", "labels": None})
    assert [one["value"] for one in found] == [0.25, 0.75]
    assert [one["label"] for one in found] == ["class 0", "class 1"]


def test_one_output_is_shown_as_two_classes():
    found = _classes([1.5], {"output_kind": "logits", "labels": ["cat", "dog"]})
    dog = 1 / (1 + np.exp(-1.5))
    np.testing.assert_allclose([one["value"] for one in found], [1 - dog, dog])
    assert [one["label"] for one in found] == ["cat", "dog"]


@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_percentiles_are_those_of_numpy(count):
    times = np.random.default_rng(count).gamma(2.0, size=count)
    found = evaluate(f"m.summary({_js(times.tolist())})", "times.js")
    for name, share in (("min", 0), ("p50", 50), ("p90", 90), ("p99", 99)):
        assert found[f"{name}_ms"] == pytest.approx(np.percentile(times, share))
    assert found["runs"] == count


def _means(image, box, size):
    call = f"[...m.areaMeans({_js(image)}, {_js(box)}, {_js(size)})]"
    return evaluate(call, "areas.js")


def _drawn(ink, shape):
    height, width = ink.shape
    drawing = {"values": ink.ravel().tolist(), "width": width, "height": height}
    plan = f"m.picturePlan({_js({'dtype': 'float32', 'shape': shape})}, null)"
    pixels = evaluate(f"[...m.drawingPixels({_js(drawing)}, {plan}, true)]")
    return np.array(pixels).reshape(shape[1:3])


def _values(pixels, tensor, manifest):
    plan = f"m.picturePlan({_js(tensor)}, {_js(manifest)})"
    return evaluate(f"[...m.inputValues({_js(pixels)}, {plan})]")


def _classes(output, manifest):
    return evaluate(f"m.classes({_js(output)}, {_js(manifest)})", "answers.js")


_js = json.dumps

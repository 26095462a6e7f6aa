"""The page of export/web in real Chromium: what a person does, and what is to see."""

import functools
import http.server
import json
import math
import os
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from keras_kd.benchmark import measure
from keras_kd.benchmark._browser_packages import packages_folder
from tests.benchmark.browser_tools import (
    WEB,
    as_student,
    need_browser,
    node,
    visits,
    with_float_io,
)

RING = [
    [
        0.5 + 0.22 * math.sin(turn * math.pi / 10),
        0.5 - 0.32 * math.cos(turn * math.pi / 10),
    ]
    for turn in range(21)
]
BAR = [[0.5, 0.15], [0.5, 0.85]]


@pytest.fixture(scope="module")
def visit():
    need_browser()
    with visits() as visit:
        yield visit


@pytest.fixture(scope="module")
def digits_path(digits_files):
    return digits_files["float32"]


@pytest.mark.slow
def test_drawing_gives_a_class(visit, digits_path):
    plan = {"steps": [["draw", [RING]], ["click", "#clear"], ["draw", [BAR]]]}
    seen = visit(files=as_student(digits_path), **plan)
    start, ring, cleared, bar = seen["states"]
    assert [state["best"] for state in seen["states"]] == [
        "–",
        "class 0",
        "–",
        "class 1",
    ]
    assert ring["labels"] == [f"class {number}" for number in range(10)]
    percents = [float(value.removesuffix(" %")) for value in ring["values"]]
    assert percents.index(max(percents)) == 0
    assert sum(percents) == pytest.approx(100, abs=0.6)
    assert start["name"] == digits_path.name
    assert "ms" in start["p50"]
    assert set(cleared["values"]) == {""}
    assert "scikit-learn" in bar["explained"]


@pytest.mark.slow
def test_page_is_quiet_and_asks_this_machine_only(visit, digits_path):
    seen = visit(files=as_student(digits_path), steps=[["draw", [RING]]])
    assert seen["errors"] == []
    assert set(seen["hosts"]) <= {"127.0.0.1", ""}


@pytest.mark.slow
def test_pictures_of_digits_get_the_classes_of_the_host(
    visit, digits_path, digits_test, tmp_path
):
    x = digits_test[0][:8]
    pictures = [tmp_path / f"{k}.png" for k in range(len(x))]
    for picture, image in zip(pictures, x, strict=True):
        pixels = np.round(np.kron(image[..., 0], np.ones((20, 20))) * 255)
        Image.fromarray(pixels.astype("uint8")).save(picture)
    steps = [["picture", str(picture)] for picture in pictures]
    seen = visit(files=as_student(digits_path), steps=steps)
    expected = measure(digits_path, examples=x, runs=1).outputs.argmax(-1)
    found = [state["best"] for state in seen["states"][1:]]
    assert found == [f"class {number}" for number in expected]


@pytest.mark.slow
def test_colour_pictures_get_the_classes_of_the_host(
    visit, colour_student, colour_test, tmp_path
):
    x = np.round(colour_test[0][:6] * 255) / 255
    path = with_float_io(colour_student, colour_test[0], tmp_path)
    steps = []
    for number, image in enumerate(x):
        picture = tmp_path / f"{number}.png"
        Image.fromarray(np.round(image * 255).astype("uint8")).save(picture)
        steps.append(["picture", str(picture)])
    seen = visit(files=as_student(path), steps=steps)
    expected = measure(path, examples=x, runs=1).outputs.argmax(-1)
    found = [state["best"] for state in seen["states"][1:]]
    assert found == [f"class {number}" for number in expected]
    assert not seen["states"][0]["hasBoard"]


@pytest.mark.slow
def test_dark_on_light_is_swapped_on_wish(visit, digits_path, digits_test, tmp_path):
    image = digits_test[0][0, ..., 0]
    picture = tmp_path / "paper.png"
    light = np.round((1 - np.kron(image, np.ones((9, 9)))) * 255)
    Image.fromarray(light.astype("uint8")).save(picture)
    steps = [["picture", str(picture)], ["check", "#invert"]]
    seen = visit(files=as_student(digits_path), steps=steps)
    expected = measure(digits_path, examples=image[None, ..., None], runs=1)
    assert seen["states"][-1]["best"] == f"class {expected.outputs.argmax()}"


@pytest.mark.slow
def test_label_that_is_a_program_stays_text(visit, digits_path, tmp_path):
    labels = [
        "<script>globalThis.hacked = 1</script>",
        "<img src=x onerror='globalThis.hacked = 1'>",
        *map(str, range(8)),
    ]
    copy = _copy(digits_path, tmp_path, labels=labels)
    seen = visit(files=as_student(copy), steps=[["draw", [RING]]])
    state = seen["states"][-1]
    assert state["labels"] == labels
    assert state["best"] == labels[0]
    assert not state["isHacked"]


@pytest.mark.slow
def test_server_without_headers_gets_one_thread_and_honest_times(visit, digits_path):
    [state] = visit(files=as_student(digits_path), isIsolated=False)["states"]
    assert not state["hasThreads"]
    assert float(state["p50"].removesuffix(" ms")) > 0
    assert "clock steps by 0.1 ms" in state["how"]
    assert "COOP and COEP" in state["how"]


@pytest.mark.slow
def test_threads_can_be_chosen(visit, digits_path):
    if os.cpu_count() < 2:
        pytest.skip("one core has one thread")
    steps = [["select", ["#threads", "2"]], ["draw", [RING]]]
    seen = visit(files=as_student(digits_path), steps=steps)
    assert [state["hasThreads"] for state in seen["states"]] == [True] * 3
    assert seen["states"][-1]["best"] == "class 0"
    assert seen["errors"] == []


def test_int8_input_is_explained(visit, digits_files):
    [state] = visit(files=as_student(digits_files["int8"]))["states"]
    assert "float_io=True" in state["message"]
    assert "int8" in state["message"]


def test_address_of_another_site_is_not_asked(visit, digits_path):
    query = "?model=http://192.0.2.1/student.tflite"
    seen = visit(files=as_student(digits_path), query=query)
    assert "its own site's files" in seen["states"][0]["message"]
    assert set(seen["hosts"]) <= {"127.0.0.1", ""}


@pytest.mark.slow
def test_files_can_be_opened_on_an_empty_page(
    visit, digits_path, colour_files, tmp_path
):
    other = colour_files["float32"]
    mixed = [str(digits_path), str(other.with_suffix(".json"))]
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(digits_path.read_bytes()[:5000])
    both = [str(digits_path), str(digits_path.with_suffix(".json"))]
    steps = [
        ["open", mixed],
        ["open", both],
        ["open", [str(damaged)]],
        ["draw", [RING]],
    ]
    empty, refused, opened, kept, drawn = visit(steps=steps)["states"]
    assert empty["isEmpty"]
    assert "another file" in refused["message"]
    assert opened["name"] == digits_path.name
    assert opened["message"] == ""
    assert "Is the file whole?" in kept["message"]
    assert drawn["best"] == "class 0"


@pytest.mark.slow
def test_file_without_manifest_says_what_it_guesses(visit, digits_path, tmp_path):
    alone = shutil.copy(digits_path, tmp_path)
    seen = visit(files={"student.tflite": str(alone)}, steps=[["draw", [RING]]])
    assert "guess" in seen["states"][-1]["explained"]
    assert "open the .json too" in seen["states"][-1]["about"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 1400])
def test_page_fits_phones_and_desks(visit, digits_path, width, tmp_path):
    copy = _copy(digits_path, tmp_path, labels=["a rather long name of a class"] * 10)
    view = {"width": width, "height": 800}
    [state] = visit(files=as_student(copy), view=view)["states"]
    assert state["width"] == width


@pytest.mark.slow
def test_gathered_site_runs_on_any_server_in_any_folder(visit, digits_path, tmp_path):
    packages = packages_folder("browser", WEB)
    node(WEB / "site.mjs", digits_path, tmp_path / "demo" / "digits", packages)
    handler = functools.partial(_Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/demo/digits/"
        seen = visit(url=url, steps=[["draw", [RING]]])
        server.shutdown()
    assert seen["states"][-1]["best"] == "class 0"
    assert seen["errors"] == []


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def _copy(path, folder, **changes):
    """A student whose manifest tells something else."""
    copy = folder / path.name
    shutil.copy(path, copy)
    manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    text = json.dumps(manifest | changes)
    copy.with_suffix(".json").write_text(text, encoding="utf-8")
    return copy

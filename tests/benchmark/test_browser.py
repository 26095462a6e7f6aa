"""The target "browser": students in real Chromium, and what can be missing."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from keras_kd.benchmark import DeviceError, _browser_run, measure, write_golden
from keras_kd.benchmark._browser_packages import find_node, packages_folder
from tests.benchmark.browser_tools import WEB, need_browser, with_float_io


@pytest.fixture(autouse=True)
def tools():
    need_browser()


@pytest.fixture(scope="module")
def students(request, digits_student, digits, colour_student, colour_test):
    """A function from a name to a file, and examples for it."""
    files = request.getfixturevalue("tmp_path_factory").mktemp("float-io")

    def student(name):
        data, precision = name.split()
        x = {"digits": digits.test.arrays(), "colour": colour_test}[data][0][:40]
        if precision == "float32":
            return request.getfixturevalue(f"{data}_files")[precision], x
        model = {"digits": digits_student, "colour": colour_student}[data]
        return with_float_io(model, x, files), x

    return student


@pytest.mark.quick_for("digits int8")
@pytest.mark.parametrize(
    "name", ["digits float32", "digits int8", "colour float32", "colour int8"]
)
def test_browser_gives_the_classes_of_the_host(students, name):
    path, x = students(name)
    host = measure(path, examples=x, runs=5, warmup=1)
    browser = measure(path, target="browser", examples=x, runs=20, warmup=2)
    assert browser.outputs.shape == host.outputs.shape
    np.testing.assert_array_equal(browser.outputs.argmax(-1), host.outputs.argmax(-1))
    np.testing.assert_allclose(browser.outputs, host.outputs, rtol=1e-4, atol=1e-4)
    assert 0 < browser.min_ms <= browser.p50_ms <= browser.p90_ms <= browser.p99_ms
    assert browser.init_ms > 0
    assert (browser.runs, browser.warmup, browser.threads) == (20, 2, 1)
    assert browser.accelerator == "CPU"
    assert not browser.is_emulated
    assert "LiteRT.js 2.5.3 in Chromium" in browser.runtime


@pytest.mark.slow
def test_two_threads_give_the_same_classes(students):
    path, x = students("colour float32")
    one = measure(path, target="browser", examples=x, runs=5, warmup=1)
    two = measure(path, target="browser", examples=x, runs=5, warmup=1, threads=2)
    assert two.threads == min(2, os.cpu_count())
    np.testing.assert_array_equal(one.outputs.argmax(-1), two.outputs.argmax(-1))


@pytest.mark.slow
def test_more_threads_than_cores_are_not_claimed(students):
    path, _ = students("digits float32")
    many = measure(path, target="browser", runs=5, warmup=1, threads=1000)
    assert many.threads <= os.cpu_count()
    assert any("of 1000 threads" in warning for warning in many.warnings)


@pytest.mark.slow
def test_software_gpu_gives_the_classes_and_no_times(students, monkeypatch):
    flags = "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader"
    monkeypatch.setenv("CHROMIUM_FLAGS", flags)
    path, x = students("colour float32")
    host = measure(path, examples=x, runs=5, warmup=1)
    gpu = measure(path, target="browser:webgpu", examples=x, runs=5, warmup=1)
    np.testing.assert_array_equal(gpu.outputs.argmax(-1), host.outputs.argmax(-1))
    assert (gpu.accelerator, gpu.is_emulated, gpu.p50_ms) == ("GPU", True, None)


@pytest.mark.slow
def test_no_gpu_is_one_line(students, monkeypatch):
    monkeypatch.setenv("CHROMIUM_FLAGS", "--disable-gpu --disable-features=WebGPU")
    path, _ = students("digits float32")
    with pytest.raises(DeviceError, match="no GPU to offer"):
        measure(path, target="browser:webgpu", runs=5)


def test_unknown_accelerator_is_refused(students):
    path, _ = students("digits float32")
    with pytest.raises(ValueError, match='Did you mean "webgpu"'):
        measure(path, target="browser:webgpo")


def test_int8_input_is_refused_with_the_way_out(digits_files):
    with pytest.raises(DeviceError, match=r"got int8 .* float_io=True"):
        measure(digits_files["int8"], target="browser")


@pytest.mark.slow
def test_program_prints_the_line_of_the_contract(students, tmp_path):
    path, x = students("digits float32")
    golden, outputs = tmp_path / "golden", tmp_path / "outputs"
    expected = write_golden(golden, path, x)
    # One answer that no student gives: the program must see that it differs.
    content = bytearray(golden.read_bytes())
    last = expected[-1].copy()
    last[(last.argmax() + 1) % 10] = last.max() + 7
    content[-last.nbytes :] = last.tobytes()
    golden.write_bytes(content)
    line = _driven(path, "--golden", golden, "--outputs", outputs, "--runs", "5")
    assert "\n" not in line.stdout.strip()
    values = json.loads(line.stdout)
    assert values["schema"] == 1
    assert values["file"] == path.name
    assert values["size_bytes"] == path.stat().st_size
    assert values["golden"]["examples"] == len(x)
    assert values["golden"]["same_class"] == len(x) - 1
    assert values["golden"]["max_difference"] >= 7
    answers = np.fromfile(outputs, "float32").reshape(-1, 10)
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.tflite"], "There is no file missing.tflite"),
        ([], "Name one .tflite file"),
        ([__file__], "is not a .tflite file"),
        ([__file__, "--runs", "0"], "--runs is a whole number"),
    ],
)
def test_program_says_in_one_line_what_is_wrong(arguments, words):
    done = _driven(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_golden_file_of_another_student_is_refused(students, tmp_path):
    path, x = students("digits float32")
    write_golden(tmp_path / "golden", path, x)
    other, _ = students("colour float32")
    done = _driven(other, "--golden", tmp_path / "golden")
    assert done.returncode == 2
    assert "made for another student" in done.stderr


def test_browser_is_missing(students, monkeypatch, tmp_path):
    path, _ = students("digits float32")
    packages_folder("browser", WEB)
    (tmp_path / "node").symlink_to(find_node("browser"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(DeviceError, match="apt install chromium"):
        measure(path, target="browser")


def test_browser_that_does_not_start(students, monkeypatch):
    path, _ = students("digits float32")
    monkeypatch.setenv("CHROMIUM", shutil.which("false"))
    with pytest.raises(DeviceError, match="did not start as a browser"):
        measure(path, target="browser")


def test_node_is_missing(students, monkeypatch, tmp_path):
    path, _ = students("digits float32")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="apt install nodejs"):
        measure(path, target="browser")


def test_node_is_too_old(monkeypatch, tmp_path):
    _stub(tmp_path / "node", "echo v18.19.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"Node.js 20 or newer, got v18\.19\.0"):
        find_node("browser")


def test_packages_that_cannot_be_fetched_leave_nothing_behind(monkeypatch, tmp_path):
    cache = tmp_path / "cache"
    _stub(tmp_path / "npm", "echo 'npm error network unreachable' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    with pytest.raises(DeviceError, match="network unreachable"):
        packages_folder("browser", WEB)
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_browser_that_hangs_is_ended_and_leaves_nothing(students, monkeypatch):
    path, _ = students("digits float32")
    packages_folder("browser", WEB)
    # Chromium's sockets need a short path, shorter than that of tmp_path.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setattr(_browser_run, "LONGEST_S", 6)
        with pytest.raises(DeviceError, match="did not end in 6 s"):
            measure(path, target="browser", runs=10**9)
        assert list(Path(folder).iterdir()) == []
        assert not _processes_with(folder)


def test_packages_are_pinned_and_name_no_server():
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    packages = {k: v for k, v in lock["packages"].items() if k}
    assert packages
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version
    for package in packages.values():
        assert "resolved" not in package
        assert package["integrity"].startswith("sha512-")


def _driven(*arguments):
    packages = packages_folder("browser", WEB)
    command = [find_node("browser"), WEB / "drive.mjs", *arguments]
    return subprocess.run(
        [*command, "--packages", packages],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _stub(path, command):
    path.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    path.chmod(0o755)


def _processes_with(word):
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = command.read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if word.encode() in line:
            found.append(line)
    return found

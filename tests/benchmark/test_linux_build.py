"""The C program is built strictly and once, and its own code is clean."""

import ctypes
import json
import os
import platform
import shutil
import subprocess

import numpy as np
import pytest

from keras_kd.benchmark._linux_build import PROGRAM, built_program
from keras_kd.benchmark._linux_library import LIBRARY, litert_folder
from keras_kd.benchmark._programs import export_folder
from keras_kd.benchmark.golden import write_golden
from keras_kd.benchmark.measurement import DeviceError
from tests.programs import need

MACHINE = platform.machine()


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the program's sources, and an empty cache."""
    need("gcc", "make")
    folder = tmp_path / "export" / "linux"
    shutil.copytree(
        export_folder("linux"), folder, ignore=shutil.ignore_patterns("build")
    )
    monkeypatch.setenv("KERAS_KD_EXPORT", str(tmp_path / "export"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def make(folder, build, **variables):
    litert = litert_folder("linux", MACHINE)
    words = {"BUILD": build, "LITERT": litert, "LITERT_VERSION": "0", **variables}
    command = ["make", "-C", folder, *(f"{k}={v}" for k, v in words.items())]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_program_is_built_once_for_each_source(sources, tmp_path):
    program = built_program("linux", MACHINE)
    made = program.stat().st_mtime_ns
    assert {path.name for path in program.parent.iterdir()} == {PROGRAM, LIBRARY}
    assert built_program("linux", MACHINE) == program
    assert program.stat().st_mtime_ns == made
    (sources / "machine.c").write_text((sources / "machine.c").read_text() + "\n")
    assert built_program("linux", MACHINE).parent != program.parent
    # Neither the sources nor the cache keep anything else.
    assert {path.suffix for path in sources.iterdir()} == {".c", ".h", ".md", ""}
    cache = tmp_path / "cache" / "keras_kd" / "linux"
    assert all(path.name.startswith(MACHINE) for path in cache.iterdir())


def test_a_warning_of_the_compiler_is_an_error(sources):
    with (sources / "machine.c").open("a") as file:
        file.write("static int never_used(void) { return 1; }\n")
    with pytest.raises(DeviceError, match=r"does not build with gcc: .*never_used"):
        built_program("linux", MACHINE)


def test_missing_tools_are_named(sources, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"gcc is not installed.*on Debian, gcc and"):
        built_program("linux", MACHINE)


def test_processor_without_litert_is_named():
    with pytest.raises(DeviceError, match='got "armv7l"'):
        built_program("ssh:pi@board", "armv7l")


@pytest.mark.parametrize("count", [1, 2, 10, 101])
def test_percentiles_are_numpys(sources, tmp_path, count):
    library = tmp_path / "statistics.so"
    flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-shared", "-fPIC", "-o", library]
    subprocess.run(["gcc", *flags, sources / "statistics.c"], check=True)
    statistics = ctypes.CDLL(str(library))
    statistics.percentile.restype = ctypes.c_double
    values = np.random.default_rng(count).gamma(2.0, size=count)
    array = (ctypes.c_double * count)(*values)
    statistics.sort_numbers(array, count)
    np.testing.assert_array_equal(array[:], np.sort(values))
    for percent in (0, 50, 90, 99, 100):
        got = statistics.percentile(array, count, ctypes.c_double(percent / 100))
        assert got == pytest.approx(np.percentile(values, percent), rel=1e-12)


def test_sanitizers_find_nothing(sources, digits_files, digits_test, tmp_path):
    built = make(sources, tmp_path / "b", CFLAGS="-O1 -g -fsanitize=address,undefined")
    assert built.returncode == 0, built.stderr
    golden = tmp_path / "golden"
    write_golden(golden, digits_files["int8"], digits_test[0][:3])
    suppressed = tmp_path / "suppressed"
    suppressed.write_text("leak:libLiteRt.so\n")
    log = tmp_path / "found"
    environment = {
        **os.environ,
        "UBSAN_OPTIONS": f"halt_on_error=1:exitcode=24:log_path={log}",
        "LSAN_OPTIONS": f"suppressions={suppressed}:print_suppressions=0",
    }
    damaged = tmp_path / "damaged.golden"
    damaged.write_bytes(golden.read_bytes()[:-1])
    outputs = tmp_path / "outputs"
    for expected, path in ((0, golden), (2, damaged)):
        # A program that fails leaves its memory to the system.
        leaks = int(expected == 0)
        options = f"exitcode=23:log_path={log}:detect_leaks={leaks}"
        environment["ASAN_OPTIONS"] = options
        command = [tmp_path / "b" / PROGRAM, digits_files["int8"], "--profile"]
        command += ["--golden", path, "--outputs", outputs]
        done = subprocess.run(
            command, env=environment, capture_output=True, check=False
        )
        found = [part.read_text() for part in tmp_path.glob("found*")]
        assert (done.returncode, found) == (expected, []), done.stderr


def test_program_is_as_fast_as_litert_says():
    """Measured by benchmarks/linux_program.py, in turn with LiteRT's own tool."""
    root = export_folder("linux").parents[1]
    results = json.loads((root / "benchmarks/results/linux_program.json").read_text())
    assert results["set_up"]["repeats"] >= 7
    for precision in ("float32", "int8"):
        p50_ms = results[precision]["p50_ms"]
        medians = [np.median(p50_ms[name]) for name in ("ours", "litert_benchmark")]
        assert medians[0] / medians[1] == pytest.approx(1, abs=0.1)


@pytest.mark.release
def test_program_is_as_fast_as_litert_says_now(monkeypatch, tmp_path):
    need("gcc", "make")
    root = export_folder("linux").parents[1]
    monkeypatch.syspath_prepend(root / "benchmarks")
    import linux_program

    for path in linux_program.files(tmp_path).values():
        result = linux_program.compare(path, repeats=7, runs=1000)
        assert result["ratio_of_medians"] == pytest.approx(1, abs=0.1)

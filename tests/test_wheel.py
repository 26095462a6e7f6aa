"""What pip installs, without a clone, does what README tells."""

import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import keras
import pytest

from keras_kd.benchmark import write_golden
from keras_kd.benchmark._browser_packages import packages_folder
from keras_kd.benchmark._programs import cache_folder
from keras_kd.export import convert
from keras_kd.students import convnet
from tests.benchmark.browser_tools import need_browser
from tests.programs import need
from tests.test_readme import COMMANDS

ROOT = Path(__file__).parent.parent
# What is made in export/ by hand, and is no source.
MADE = ("linux/build/main.o", "web/node_modules/a/a.js", "web/student.tflite")
HIDDEN = ("KERAS_KD_EXPORT", "PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS")
# Commands with tests of their own: they need photos, an extra, devices.
NOT_HERE = ("folder:photos", "--beam", "ssh:pi@board")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tracked():
    """Names of the files of the repository."""
    need("git")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def built(tracked, tmp_path_factory):
    """The paths of sdist and wheel; the wheel is built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    for name in tracked:
        copy = folder / "source" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    for name in MADE:
        made = folder / "source" / "export" / name
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()
    command = [sys.executable, "-m", "build", "--outdir", folder, folder / "source"]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=_without(*HIDDEN),
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Warning" not in done.stdout
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The folder of an environment with the wheel and what it depends on.

    The dependencies are those of this environment. Its editable install of the checkout
    is not among them: that hangs on a .pth file, and those work only in site-packages.
    """
    folder = tmp_path_factory.mktemp("elsewhere") / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    install += ["--disable-pip-version-check", "--no-deps", built[1]]
    subprocess.run(install, check=True, env=_environment(folder))
    ours = [path for path in sys.path if path.endswith("-packages")]
    (_site_packages(folder) / "dependencies.pth").write_text("\n".join(ours))
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """A function that runs a program of the environment, in a folder without a clone.

    At the end the installed package is what it was: nothing was built in it.
    """
    before = _hashes(installed)

    def run(program, *arguments):
        done = subprocess.run(
            [installed / "bin" / program, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=_environment(installed),
        )
        assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr)
        return done.stdout

    yield run
    assert _hashes(installed) == before


@pytest.fixture(scope="module")
def students(digits, tmp_path_factory):
    """The int8 files of an untrained student, by whether input and output are float."""
    keras.utils.set_random_seed(0)
    model, images = convnet((8, 8, 1), 10, width=8), digits.train.arrays()[0]
    options = {"precision": "int8", "calibration_data": images}
    files = {}
    for float_io in (True, False):
        files[float_io] = tmp_path_factory.mktemp("files") / "student.tflite"
        convert(model, files[float_io], float_io=float_io, **options)
    return files


def test_wheel_has_the_programs_of_export_byte_by_byte(built, tracked):
    programs, start = {}, "keras_kd/_programs/"
    with zipfile.ZipFile(built[1]) as wheel:
        for name in wheel.namelist():
            if name.startswith(start):
                programs[f"export/{name.removeprefix(start)}"] = wheel.read(name)
        assert {name.split("/")[0] for name in wheel.namelist()} == {
            "keras_kd",
            f"{built[1].name.rsplit('-py3', 1)[0]}.dist-info",
        }
        assert any(name.endswith("/LICENSE") for name in wheel.namelist())
    assert programs == {
        name: (ROOT / name).read_bytes()
        for name in tracked
        if name.startswith("export/")
    }


def test_package_is_whole(built, tracked):
    with zipfile.ZipFile(built[1]) as wheel, tarfile.open(built[0]) as sdist:
        in_wheel = set(wheel.namelist())
        in_sdist = {name.partition("/")[2] for name in sdist.getnames()}
    package = {name for name in tracked if name.startswith("keras_kd/")}
    assert package - in_wheel == set()
    wanted = {name for name in tracked if name.startswith(("keras_kd/", "export/"))}
    wanted |= {"LICENSE", "README.md", "pyproject.toml", "setup.py"}
    assert wanted - in_sdist == set()
    assert {f"export/{name}" for name in MADE} & in_sdist == set()


def test_clone_is_out_of_sight(run, installed):
    program = (
        "import sys, keras_kd.distiller; from keras_kd.benchmark import _programs;"
        # A Distiller needs no library of data sets: they take long to import.
        "print('tensorflow_datasets' in sys.modules, keras_kd.__file__,"
        " _programs.export_folder('linux'), *sys.path, sep='\\n')"
    )
    imported, package, programs, *path = run("python", "-c", program).splitlines()[-99:]
    assert imported == "False"
    assert Path(package).is_relative_to(installed)
    assert Path(programs).is_relative_to(installed)
    assert str(ROOT) not in path


@pytest.mark.timeout(1200)
def test_commands_of_the_readme(run, tmp_path):
    run("keras-kd", "demo", "--out", "runs/demo")
    assert (tmp_path / "runs" / "demo" / "report.html").stat().st_size > 100_000
    for mine, name in (("teacher", "teacher"), ("student", "distilled")):
        shutil.copy(tmp_path / f"runs/demo/{name}.keras", tmp_path / f"{mine}.keras")
    commands = [command for command in COMMANDS if command.startswith("keras-kd")]
    ran = [text for text in commands if not any(word in text for word in NOT_HERE)]
    assert len(ran) >= len(commands) - len(NOT_HERE)
    for command in ran:
        run(*map(_without_what_is_not_here, shlex.split(command)))
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "programs" / "web" / "index.html").exists()


@pytest.mark.parametrize(
    ("target", "tools"),
    [
        ("linux", ["gcc", "make"]),
        ("aarch64", ["aarch64-linux-gnu-gcc", "make", "qemu-aarch64"]),
        ("browser", None),
        ("cortex-m4", ["make", "arm-none-eabi-gcc", "qemu-system-arm"]),
    ],
)
def test_target_scores_a_student_as_the_host_does(run, students, target, tools):
    if target == "browser":
        need_browser()
        # Fetched once for all tests: the same lock file has the same place.
        packages_folder("browser", ROOT / "export" / "web")
    else:
        need(*tools)
    options = ["--target", f"host,{target}", "--data", "digits", "--examples", "50"]
    shown = run("keras-kd", "benchmark", students[target != "cortex-m4"], *options)
    scores = re.findall(r"[\d.]+ \([\d.]+-[\d.]+\)", shown)
    assert len(scores) == 2
    assert len(set(scores)) == 1


def test_program_is_built_by_hand_where_it_was_written(run, students, digits, tmp_path):
    need("gcc", "make")
    write_golden(tmp_path / "golden", students[False], digits.test.arrays()[0][:20])
    program = (
        "from keras_kd import benchmark, export; benchmark.write_programs('programs');"
        f"export.write_plain_c('{students[False]}', 'network')"
    )
    (tmp_path / "network").mkdir()
    run("python", "-c", program)
    sources = tmp_path / "programs" / "microcontroller" / "plain_c"
    make = ["make", "--silent", "-C", sources, f"NETWORK={tmp_path / 'network'}"]
    subprocess.run(make, check=True, env=_without(*HIDDEN))
    tried = [sources / "build" / "host", "--golden", "golden", "--outputs", "outputs"]
    done = subprocess.run(tried, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(done.stdout)["golden"]["examples"] == 20


def _without_what_is_not_here(word):
    """Of a list of targets only those whose programs are installed."""
    if not word.startswith("host,"):
        return word
    tools = {"linux": shutil.which("gcc") and shutil.which("make")}
    tools["microcontroller"] = importlib.util.find_spec("tflite_micro")
    return ",".join(name for name in word.split(",") if tools.get(name, True))


def _site_packages(folder):
    (path,) = folder.glob("lib/python*/site-packages")
    return path


def _environment(folder):
    """A user's who has no clone; of the cache, only what is fetched for browsers."""
    cache = folder.parent / "cache" / "keras_kd"
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "web").is_symlink():
        (cache / "web").symlink_to(cache_folder("web"))
    rest = _without(*HIDDEN)
    return {**rest, "XDG_CACHE_HOME": str(cache.parent), "COLUMNS": "80"}


def _without(*names):
    return {name: value for name, value in os.environ.items() if name not in names}


def _hashes(folder):
    """Of every file of the installed package, but what Python itself compiles."""
    package = _site_packages(folder) / "keras_kd"
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in package.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }

"""The programs for devices are found in the package, a checkout, or where one says."""

import shutil
import subprocess
from pathlib import Path

import pytest

import keras_kd
from keras_kd._checks import InvalidInputError
from keras_kd.benchmark import DeviceError, write_programs
from keras_kd.benchmark._programs import export_folder
from tests.programs import needs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty folder that takes the place of the installed package."""
    package = tmp_path / "site-packages" / "keras_kd"
    package.mkdir(parents=True)
    monkeypatch.setattr(keras_kd, "__file__", str(package / "__init__.py"))
    monkeypatch.delenv("KERAS_KD_EXPORT", raising=False)
    return package


def test_programs_of_a_checkout_are_beside_the_package(package):
    (package.parent / "export" / "linux").mkdir(parents=True)
    assert export_folder("linux") == package.parent / "export" / "linux"


def test_those_of_the_wheel_come_before_a_stranger_of_that_name(package):
    for folder in (package / "_programs", package.parent / "export"):
        (folder / "linux").mkdir(parents=True)
    assert export_folder("linux") == package / "_programs" / "linux"


def test_those_that_one_names_come_first(package, tmp_path, monkeypatch):
    (package / "_programs" / "linux").mkdir(parents=True)
    (tmp_path / "linux").mkdir()
    monkeypatch.setenv("KERAS_KD_EXPORT", str(tmp_path))
    assert export_folder("linux") == tmp_path / "linux"
    with pytest.raises(DeviceError, match=r"no such folder\. Unset KERAS_KD_EXPORT"):
        export_folder("web")


def test_a_package_without_them_says_what_to_do(package):
    with pytest.raises(DeviceError, match="Install keras-kd again, or set KERAS_KD"):
        export_folder("web")


@needs("git")
def test_all_are_written_and_nothing_that_was_made_there(package, tmp_path):
    sources = package / "_programs"
    shutil.copytree(ROOT / "export", sources)
    for made in ("web/node_modules/a/b.js", "linux/build/main.o"):
        (sources / made).parent.mkdir(parents=True, exist_ok=True)
        (sources / made).touch()
    for path in sources.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder = write_programs(tmp_path / "new" / "programs")
    listed = ["git", "ls-files", "--", "export"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert sorted(
        f"export/{path.relative_to(folder).as_posix()}" for path in written
    ) == sorted(done.stdout.split())
    for path in written:
        assert path.read_bytes() == (sources / path.relative_to(folder)).read_bytes()
    assert all(path.stat().st_mode & 0o200 for path in folder.rglob("*"))


def test_what_somebody_changed_there_is_not_lost(package, tmp_path):
    (tmp_path / "main.c").touch()
    with pytest.raises(InvalidInputError, match="with files in it"):
        write_programs(tmp_path)
    with pytest.raises(InvalidInputError, match=r"main\.c"):
        write_programs(tmp_path / "main.c")

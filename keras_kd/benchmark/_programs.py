"""Where the programs for devices are: `export/`, of the wheel or of a checkout."""

import os
import shutil
from pathlib import Path

import keras_kd
from keras_kd._checks import invalid
from keras_kd.benchmark.measurement import DeviceError

VARIABLE = "KERAS_KD_EXPORT"
# What is made in these folders by hand, and is no source.
_MADE = {"build", "node_modules", "site", "assets", ".gradle", "local.properties"}


def cache_folder(name):
    """Where what was built or fetched for a class of device stays, a `Path`.

    Args:
        name: str, such as "linux".
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "keras_kd" / name


def export_folder(name):
    """The folder of the programs for one class of device. Nothing is written there.

    Args:
        name: str, such as "linux".

    Returns:
        A `Path`: in the folder that the environment variable KERAS_KD_EXPORT names; or
        else in the installed package, or beside the package of a checkout.

    Raises:
        DeviceError: It is not there.
    """
    given = os.environ.get(VARIABLE)
    folder = (Path(given) if given else _own_folder()) / name
    if folder.is_dir():
        return folder
    fix = (
        f"Unset {VARIABLE}, or set it to what `keras-kd programs --out FOLDER` wrote."
        if given
        else f'Install keras-kd again, or set {VARIABLE} to "export" of a checkout.'
    )
    raise DeviceError(
        f"keras_kd.benchmark: expected the programs for this target in {folder}, got "
        f"no such folder. {fix}"
    )


def write_programs(folder):
    """Writes all programs for devices to a folder, to build, change or ship them.

    A page for browsers, an app for Android, a program for Linux, and what a student in
    C needs on a microcontroller; each has a README. With the environment variable
    `KERAS_KD_EXPORT` set to the folder, `measure` takes the programs from there.

    Args:
        folder: str or `Path`, a folder that is new or empty.

    Returns:
        The `Path` of the folder.

    Raises:
        ValueError: There is something in it already, or it cannot be made.

    Example:
        >>> import tempfile
        >>> folder = write_programs(tempfile.mkdtemp())
        >>> sorted(path.name for path in folder.iterdir())
        ['README.md', 'android', 'linux', 'microcontroller', 'web']
    """
    folder = Path(folder)
    where, expected = "write_programs", "a folder that is new or empty"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        got = f'"{folder}" ({error.strerror})'
        raise invalid(where, expected, got, "Choose another one.") from error
    if not is_empty:
        fix = "Choose another one: what you changed would be lost."
        raise invalid(where, expected, f'"{folder}" with files in it', fix)
    source = _own_folder()
    for place, folders, files in os.walk(source):
        folders[:] = set(folders) - _MADE
        here = folder / Path(place).relative_to(source)
        # Without their modes, unlike shutil.copytree: a package may be read-only.
        here.mkdir(exist_ok=True)
        for name in set(files) - _MADE:
            shutil.copyfile(Path(place, name), here / name)
    return folder


def _own_folder():
    """The `Path` of `export/` that came with this package."""
    package = Path(keras_kd.__file__).parent
    # The wheel has it under this name, see setup.py.
    installed = package / "_programs"
    return installed if installed.is_dir() else package.parent / "export"

"""Where the programs for devices are: the folder `export/` of the repository."""

import os
from pathlib import Path

import keras_kd
from keras_kd.benchmark.measurement import DeviceError

VARIABLE = "KERAS_KD_EXPORT"


def cache_folder(name):
    """Where what was built or fetched for a class of device stays, a `Path`.

    Args:
        name: str, such as "linux".
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "keras_kd" / name


def export_folder(name):
    """The folder of the programs for one class of device.

    Args:
        name: str, such as "linux".

    Returns:
        A `Path`. `export/` is looked for in the environment variable KERAS_KD_EXPORT,
        then beside the package, where a checkout of the repository has it.

    Raises:
        DeviceError: It is not there: the package was installed without the repository.
    """
    given = os.environ.get(VARIABLE)
    export = Path(given) if given else Path(keras_kd.__file__).parents[1] / "export"
    folder = export / name
    if not folder.is_dir():
        raise DeviceError(
            f"The programs for this target are not in {folder}: they are part of the "
            f"repository of keras_kd, not of the installed package. Set {VARIABLE} to "
            'the folder "export" of a checkout.'
        )
    return folder

"""LiteRT's shared library for a kind of processor: that of the ai-edge-litert wheel."""

import importlib.metadata
import importlib.util
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from keras_kd.benchmark._programs import cache_folder
from keras_kd.benchmark.measurement import DeviceError

PACKAGE = "ai-edge-litert"
LIBRARY = "libLiteRt.so"
# The names of the platforms that wheels for Linux have carried so far.
_PLATFORMS = ("manylinux_2_27", "manylinux_2_28", "manylinux_2_34", "manylinux2014")


def litert_version():
    """The version of LiteRT in use here, which a device gets too."""
    return importlib.metadata.version(PACKAGE)


def litert_folder(target, machine):
    """The folder of LiteRT's library for a processor; fetched with pip when another's.

    Args:
        target: str, for the message.
        machine: str as `uname -m` prints, "x86_64" or "aarch64".

    Returns:
        A `Path`.

    Raises:
        DeviceError: There is no such wheel, or it cannot be fetched.
    """
    if machine == platform.machine():
        package = importlib.util.find_spec("ai_edge_litert")
        folder = Path(package.submodule_search_locations[0])
    else:
        folder = cache_folder("linux") / f"litert-{litert_version()}-{machine}"
        if not (folder / LIBRARY).exists():
            _fetch(target, machine, folder)
    if not (folder / LIBRARY).exists():
        raise DeviceError(
            f"{target}: {PACKAGE} {litert_version()} has no {LIBRARY} for {machine}. "
            f"Install {PACKAGE} 2.3.0 or newer."
        )
    return folder


def _fetch(target, machine, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", name]
        command += ["--disable-pip-version-check"]
        command += ["--python-version", "{}.{}".format(*sys.version_info)]
        for platform_name in _PLATFORMS:
            command += ["--platform", f"{platform_name}_{machine}"]
        command.append(f"{PACKAGE}=={litert_version()}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(name).glob("*.whl"))
        if done.returncode or not wheels:
            lines = done.stderr.splitlines()
            lines = [line for line in lines if "ERROR" in line] or lines
            raise DeviceError(
                f"{target}: pip cannot fetch {PACKAGE} {litert_version()} for "
                f"{machine} ({lines[-1] if lines else 'no message'}). Connect to the "
                f"network once, or put its {LIBRARY} into {folder}."
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            part = wheel.extract(f"ai_edge_litert/{LIBRARY}", name)
        # Two that fetch at once bring the same file.
        Path(part).replace(folder / LIBRARY)

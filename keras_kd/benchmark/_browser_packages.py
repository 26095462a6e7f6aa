"""The JavaScript packages that export/web needs: installed once, with npm."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from keras_kd.benchmark._programs import cache_folder
from keras_kd.benchmark.measurement import DeviceError

LEAST_NODE = 20
LONGEST_S = 600
_LISTS = ("package.json", "package-lock.json", ".npmrc")


def find_node(target):
    """The path of Node.js, a str.

    Args:
        target: str, for the message.

    Raises:
        DeviceError: It is not installed, or too old.
    """
    node = shutil.which("node")
    if node is None:
        raise DeviceError(
            f"{target}: there is no node. Install Node.js {LEAST_NODE} or newer with "
            "npm (Debian: apt install nodejs npm)."
        )
    done = subprocess.run([node, "--version"], capture_output=True, text=True)
    version = done.stdout.strip()
    major = version.lstrip("v").partition(".")[0]
    if not major.isdecimal() or int(major) < LEAST_NODE:
        raise DeviceError(
            f"{target}: expected Node.js {LEAST_NODE} or newer, got "
            f"{version or 'no version'} ({node}). Install a newer one from nodejs.org."
        )
    return node


def packages_folder(target, program):
    """The folder with the `node_modules` of a program; filled on first use.

    Args:
        target: str, for the message.
        program: `Path` of the folder with its package.json and package-lock.json.

    Returns:
        A `Path` in the user's cache: the program's own folder stays as it is.

    Raises:
        DeviceError: npm is not installed, or cannot fetch them.
    """
    lock = (program / "package-lock.json").read_bytes()
    folder = cache_folder("web") / hashlib.sha256(lock).hexdigest()[:16]
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise DeviceError(
            f"{target}: there is no npm. Install it (Debian: apt install npm)."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as name:
        new = Path(name, "packages")
        new.mkdir()
        for file in _LISTS:
            shutil.copy(program / file, new)
        _install(target, npm, new)
        try:
            new.rename(folder)
        except OSError:
            # Another process was faster, and has the same packages.
            if not folder.is_dir():
                raise
    return folder


def _install(target, npm, folder):
    # A NODE_ENV of "production" would leave out what drives the browser.
    command = [npm, "ci", "--ignore-scripts", "--include=dev", "--no-audit"]
    command += ["--no-fund", "--no-update-notifier"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=LONGEST_S,
        )
        lines = done.stderr.splitlines() if done.returncode else None
    except subprocess.TimeoutExpired:
        lines = [f"npm error it did not end in {LONGEST_S} s"]
    if lines is not None:
        said = [line for line in lines if line.startswith("npm error")] or [""]
        raise DeviceError(
            f"{target}: npm cannot fetch LiteRT.js and playwright-core "
            f"({said[0].removeprefix('npm error ').strip() or 'no message'}). Connect "
            "to the network once: they are kept for the next time."
        )

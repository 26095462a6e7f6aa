"""The program in export/linux, built for a kind of processor and kept."""

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from keras_kd.benchmark._linux_library import (
    LIBRARY,
    litert_folder,
    litert_version,
)
from keras_kd.benchmark._programs import cache_folder, export_folder
from keras_kd.benchmark.measurement import DeviceError

PROGRAM = "run_student"
MACHINES = {"x86_64": "x86-64", "aarch64": "ARM64"}
# Debian's packages of the compilers for other processors.
_PACKAGES = {
    "x86_64": "gcc-x86-64-linux-gnu and libc6-dev-amd64-cross",
    "aarch64": "gcc-aarch64-linux-gnu and libc6-dev-arm64-cross",
}


def built_program(target, machine):
    """The program for a processor, built if it is new; its library lies beside it.

    Args:
        target: str, for the message.
        machine: str as `uname -m` prints.

    Returns:
        The `Path` of the program.

    Raises:
        DeviceError: There is no LiteRT for the processor, or a tool is missing.
    """
    if machine not in MACHINES:
        raise DeviceError(
            f"{target}: expected a 64-bit processor, {' or '.join(MACHINES)}, got "
            f'"{machine}": LiteRT has no library for it. Install a 64-bit system.'
        )
    sources = export_folder("linux")
    compiler = _compiler(target, machine)
    library = litert_folder(target, machine)
    key = _fingerprint(sources, library / LIBRARY, compiler)
    folder = cache_folder("linux") / f"{machine}-{key}"
    if not (folder / PROGRAM).exists():
        _build(target, sources, library, compiler, folder)
    return folder / PROGRAM


def _compiler(target, machine):
    is_own = machine == platform.machine()
    compiler = "gcc" if is_own else f"{machine}-linux-gnu-gcc"
    packages = "gcc and libc6-dev" if is_own else _PACKAGES[machine]
    for tool, needed in ((compiler, packages), ("make", "make")):
        if not shutil.which(tool):
            raise DeviceError(
                f"{target}: {tool} is not installed. Install it; on Debian, {needed}."
            )
    return compiler


def _fingerprint(sources, library, compiler):
    """Of all that a program is made of."""
    digest = hashlib.sha256(f"{compiler} {litert_version()}".encode())
    files = [*sources.glob("*.[ch]"), sources / "Makefile"]
    for file in [*sorted(files), library]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _build(target, sources, library, compiler, folder):
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as name:
        result = Path(name, "result")
        variables = {
            "BUILD": result,
            "CC": compiler,
            "LITERT": library,
            "LITERT_VERSION": litert_version(),
        }
        # Flags and variables of a `make` that runs us are not for this one.
        ours = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        done = subprocess.run(
            ["make", "-C", sources, *(f"{k}={v}" for k, v in variables.items())],
            capture_output=True,
            text=True,
            check=False,
            env=ours,
        )
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "rror" in line]
            raise DeviceError(
                f"{target}: the program in {sources} does not build with {compiler}: "
                f"{errors[0] if errors else 'no message'}"
            )
        for rest in result.glob("*.o"):
            rest.unlink()
        try:
            result.rename(folder)
        except OSError:
            # Somebody else built the same meanwhile.
            if not (folder / PROGRAM).exists():
                raise

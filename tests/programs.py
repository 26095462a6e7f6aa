"""Programs of the system that tests run: what is missing is skipped, and said."""

import os
import re
import shutil

import pytest

# Debian's packages of each, as in .ci/packages.
PACKAGES = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "arm-none-eabi-g++": "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "arm-none-eabi-nm": "binutils-arm-none-eabi",
    "cat": "coreutils",
    "chromium": "chromium",
    "g++": "g++",
    "gcc": "gcc libc6-dev",
    "git": "git",
    "make": "make",
    "mkdir": "coreutils",
    "node": "nodejs",
    "npm": "npm",
    "qemu-aarch64": "qemu-user libstdc++6-arm64-cross",
    "qemu-system-arm": "qemu-system-arm",
    "scp": "openssh-client",
    "sh": "dash",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "unzip": "unzip",
}
_REASON = "not installed: "


def need(*names):
    """Skips the test, or those of a fixture, where a program is not installed.

    Fails there if KERAS_KD_REQUIRE_TOOLS is set, as CI does, which installs them all.

    Args:
        names: of programs, keys of `PACKAGES`.
    """
    # Servers are where only root looks.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = [name for name in names if not shutil.which(name, path=path)]
    if missing and not os.environ.get("KERAS_KD_REQUIRE_TOOLS"):
        pytest.skip(f"{_REASON}{', '.join(missing)}")
    assert not missing, f"install {', '.join(missing)}"


def needs(*names):
    """A decorator: `need` for a test."""
    return pytest.mark.needs(*names)


def summary(reports):
    """A line that says how to run the tests that were skipped; None if none was.

    Args:
        reports: pytest's reports of the skipped tests.
    """
    reasons = [str(report.longrepr[-1]) for report in reports]
    skipped = [found for one in reasons if (found := re.search(f"{_REASON}(.+)$", one))]
    if not skipped:
        return None
    missing = {name for found in skipped for name in found[1].split(", ")}
    packages = {word for name in missing for word in PACKAGES[name].split()}
    return (
        f"{len(skipped)} tests were skipped, for programs that are not installed. To "
        f"run them, on Debian: apt-get install {' '.join(sorted(packages))}"
    )

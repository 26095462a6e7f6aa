"""LiteRT's `benchmark_model` for Android: given by the user, or downloaded once."""

import hashlib
import http.client
import json
import os
import shutil
import struct
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from keras_kd._checks import invalid
from keras_kd._files import written_whole
from keras_kd.benchmark._programs import cache_folder
from keras_kd.benchmark.measurement import DeviceError

VARIABLE = "KERAS_KD_BENCHMARK_MODEL"
CHECKSUM_VARIABLE = "KERAS_KD_BENCHMARK_MODEL_SHA256"
WHERE = "keras_kd.benchmark.android"
# The official files: CompiledModel's for 64 bit, the Interpreter's for 32 bit, see
# https://ai.google.dev/edge/litert/next/benchmark and
# https://ai.google.dev/edge/litert/models/measurement.
ADDRESSES = {
    "arm64-v8a": "https://storage.googleapis.com/litert/binaries/latest/"
    "android_arm64/benchmark_model",
    "armeabi-v7a": "https://storage.googleapis.com/tensorflow-nightly-public/prod/"
    "tensorflow/release/lite/tools/nightly/latest/android_arm_benchmark_model",
}
# ELF's class and machine.
_ABIS = {
    (2, 183): "arm64-v8a",
    (1, 40): "armeabi-v7a",
    (2, 62): "x86_64",
    (1, 3): "x86",
    (2, 243): "riscv64",
}


@dataclass(frozen=True)
class Tool:
    """A `benchmark_model` for the device.

    Attributes:
        path: `Path`, on this machine.
        sha256: str, of the file.
        note: str, what a person must know of its origin, or "".
    """

    path: Path
    sha256: str
    note: str = ""


def find_tool(target, abis, given=None):
    """The `benchmark_model` for a device.

    Args:
        target: str, as the user gave it, for messages.
        abis: list of str, what the device runs, the best first.
        given: `str` or `Path` of the program, or None: the one that the environment
            variable KERAS_KD_BENCHMARK_MODEL names, else the official one, downloaded
            on first use.

    Returns:
        A `Tool`.

    Raises:
        ValueError: The given file is no program.
        DeviceError: It is for another kind of processor or has another checksum than
            expected; it cannot be downloaded.
    """
    expected = os.environ.get(CHECKSUM_VARIABLE, "").lower()
    given = given or os.environ.get(VARIABLE)
    if given:
        tool = Tool(Path(given), _checked(Path(given), expected, target))
    else:
        tool = _official(target, abis, expected)
    check_abi(target, tool.path, abis)
    return tool


def check_abi(target, path, abis):
    """Raises unless the program or library at `path` is one that the device runs."""
    abi = read_abi(path)
    if abi not in abis:
        raise DeviceError(
            f"{target}: {path} is built for {abi}, the device runs {', '.join(abis)}. "
            f"Take the one for {abis[0]}."
        )


def read_abi(path):
    """For which of Android's ABIs a program is, such as "arm64-v8a"."""
    with open(path, "rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        raise invalid(
            WHERE,
            "a program for Android (ELF)",
            f'"{path}"',
            "Give benchmark_model itself, not its .apk or a page about it.",
        )
    machine = (head[4], struct.unpack_from("<H", head, 18)[0])
    return _ABIS.get(machine, f"another processor (ELF machine {machine[1]})")


def _official(target, abis, expected):
    abi = next((abi for abi in abis if abi in ADDRESSES), None)
    if abi is None:
        raise DeviceError(
            f"{target}: there is no official benchmark_model for {', '.join(abis)}. "
            f"Build it, and set {VARIABLE} to its path."
        )
    address = ADDRESSES[abi]
    program = cache_folder("benchmark_model") / abi / "benchmark_model"
    record = program.with_suffix(".json")
    known = expected or _recorded(record)
    if program.exists():
        return Tool(program, _checked(program, known, target))
    program.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(program, record) as (new_program, new_record):
        _download(target, address, new_program)
        read_abi(new_program)
        sha256 = _checked(new_program, known, target, record=record)
        new_record.write_text(
            json.dumps({"address": address, "sha256": sha256}, indent=2) + "\n",
            encoding="utf-8",
        )
    note = (
        ""
        if known
        else f"benchmark_model came from {address} and was trusted on first use "
        f"(SHA-256 {sha256}): its publisher gives no checksum"
    )
    return Tool(program, sha256, note)


def _recorded(record):
    try:
        return json.loads(record.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _checked(path, expected, target, *, record=None):
    """The file's SHA-256, if it is the expected one or nothing is expected."""
    try:
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise invalid(
            WHERE,
            "the path of benchmark_model",
            f'"{path}" ({error.strerror})',
            f"Correct the path, or unset {VARIABLE} to have it downloaded.",
        ) from error
    if expected and sha256 != expected:
        # The official file is always the newest: another one need not be a bad one.
        fix = (
            f"If you trust the new one, delete {record} or set {CHECKSUM_VARIABLE}."
            if record
            else f"Delete it if it is a download, or correct {CHECKSUM_VARIABLE}."
        )
        raise DeviceError(
            f"{target}: expected benchmark_model with SHA-256 {expected}, got {sha256} "
            f"({path if record is None else 'the download'}). {fix}"
        )
    return sha256


def _download(target, address, path):
    try:
        with (
            urllib.request.urlopen(address, timeout=60) as answer,
            open(path, "wb") as file,
        ):
            shutil.copyfileobj(answer, file)
            length = answer.headers.get("Content-Length")
            # A connection that breaks off looks like the end of the file.
            if length is not None and file.tell() != int(length):
                raise OSError(f"{file.tell()} of {length} bytes came")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DeviceError(
            f"{target}: cannot download {address} ({error}). Download it yourself and "
            f"set {VARIABLE} to its path."
        ) from error

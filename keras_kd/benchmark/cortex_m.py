"""An int8 student as plain C on an emulated Cortex-M4: the bytes and size of firmware.

What it answers is what the processor would; instructions are counted, not cycles, which
a Cortex-M4 needs some more of: an estimate. There are no times.
"""

import dataclasses
import shutil
import subprocess
import tempfile
from pathlib import Path

from keras_kd.benchmark._micro_golden import check_golden
from keras_kd.benchmark._programs import export_folder
from keras_kd.benchmark.golden import read_outputs
from keras_kd.benchmark.measurement import DeviceError, read_line
from keras_kd.export import inspect, write_plain_c

TARGET = "cortex-m4"
_LONGEST_S = 600
_PACKAGES = {
    "make": "make",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi and libnewlib-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}
# An instruction takes 1 ns of the board's time, so that its timer counts instructions.
_BOARD = ("-M", "mps2-an386", "-cpu", "cortex-m4", "-icount", "shift=0")
_QUIET = ("-nographic", "-monitor", "none")


def run(request):
    """Writes a file as plain C, builds it for a Cortex-M4, and runs it in QEMU.

    Args:
        request: a `Request`; threads, runs and profile do not apply.

    Returns:
        A `Measurement` without times: `instructions` of one run, `arena_bytes` that the
        network has in RAM, `flash_bytes` of its code and constants.

    Raises:
        DeviceError: A tool is missing, or the program failed.
        ValueError: The file is damaged or not int8, or an operation has no kernel.
    """
    for tool, packages in _PACKAGES.items():
        if not shutil.which(tool):
            raise DeviceError(
                f"{TARGET}: {tool} is not installed. Install it; on Debian, {packages}."
            )
    sources = export_folder("microcontroller") / "plain_c"
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as name:
        folder = Path(name)
        write_plain_c(request.path, folder)
        build = [*_make(sources), f"NETWORK={folder}", f"OUT={folder}", "cortex-m4"]
        _finished(build, folder)
        sizes = _finished(["arm-none-eabi-size", "network.o"], folder)
        names = []
        if request.golden is not None:
            check_golden(TARGET, request.golden, inspect(request.path))
            # The C library of the board splits its arguments at spaces.
            shutil.copyfile(request.golden, folder / "golden")
            names = ["--golden", "golden", "--outputs", "outputs"]
        line = _finished(_emulated(names), folder)
        outputs = read_outputs(folder / "outputs", request.path) if names else None
    measurement = read_line(
        line,
        target=request.target,
        measured_on="emulated Cortex-M4",
        outputs=outputs,
    )
    text, data, *_ = map(int, sizes.splitlines()[-1].split()[:3])
    return dataclasses.replace(measurement, flash_bytes=text + data)


def _make(sources):
    return ["make", "--silent", "-C", str(sources)]


def _emulated(arguments):
    given = ",".join(f"arg={one}" for one in ("program", *arguments))
    semihosting = f"enable=on,target=native,{given}"
    options = ["-semihosting-config", semihosting, "-kernel", "cortex_m4.elf"]
    return ["qemu-system-arm", *_BOARD, *_QUIET, *options]


def _finished(command, folder):
    """What a command printed.

    Raises:
        DeviceError: It failed, or did not end.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"{TARGET}: {command[0]} did not end in {_LONGEST_S} s. Give it fewer "
            "golden inputs, or a smaller student."
        ) from error
    if done.returncode:
        raise DeviceError(f"{TARGET}: {_reason(command[0], done)}")
    return done.stdout


def _reason(tool, done):
    """What went wrong, in a line."""
    if "rdimon.specs" in done.stderr or "No such file" in done.stderr:
        return (
            "there is no C library for the Cortex-M4. Install it; on Debian, "
            "libnewlib-arm-none-eabi."
        )
    for memory in ("ROM", "RAM"):
        if f"region `{memory}' overflowed" in done.stderr:
            return f"the student does not fit in 4 MiB of {memory}. Take a smaller one."
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return f"{tool} failed: {(lines or ['no message'])[-1][:200]}"

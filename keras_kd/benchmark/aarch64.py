"""The C program for ARM64, emulated by QEMU: ARM's answers, and no times."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from keras_kd.benchmark._linux_build import built_program
from keras_kd.benchmark._linux_run import options_of, printed_line
from keras_kd.benchmark.golden import read_outputs
from keras_kd.benchmark.measurement import DeviceError, read_line

# With int8 dot products, as in a Raspberry Pi 5. Not "max": QEMU 7.2 then lets LiteRT
# compute wrong int8 results.
PROCESSOR = "cortex-a76"
_EMULATOR = "qemu-aarch64"
_LIBRARIES = Path("/usr/aarch64-linux-gnu/lib")
_CORES = 4
# What LiteRT asks of such a processor; asimddp are the dot products.
_CPUINFO = """processor\t: {core}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid \
asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1

"""


def run(request):
    """Runs a file with the program in export/linux, built for ARM64, under QEMU.

    Args:
        request: a `Request`.

    Returns:
        A `Measurement` without times: they would be the emulator's.

    Raises:
        DeviceError: A tool is missing, or LiteRT refused the file.
        ValueError: The file is damaged.
    """
    emulator = _emulator(request.target)
    program = built_program(request.target, "aarch64")
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as name:
        root, outputs = Path(name, "root"), Path(name, "outputs")
        write_root(root, f"{PROCESSOR} emulated by QEMU {_version(emulator)}")
        golden = request.golden and request.golden.absolute()
        options = options_of(request, golden=golden, outputs=outputs)
        command = [emulator, "-L", root, "-cpu", PROCESSOR, program]
        command += [request.path.absolute(), *options, "--emulated"]
        line = printed_line(request.target, command)
        return read_line(
            line,
            target=request.target,
            measured_on="ARM64, emulated",
            outputs=read_outputs(outputs, request.path) if request.golden else None,
        )


def write_root(root, model):
    """Makes a folder that QEMU shows the program in place of parts of this machine.

    LiteRT reads which instructions a processor has from /proc/cpuinfo; QEMU's user mode
    lets it read this machine's, another architecture's, and LiteRT crashes.

    Args:
        root: `Path` of the folder, not yet there.
        model: str, the name of the machine.
    """
    texts = {
        "proc/cpuinfo": "".join(_CPUINFO.format(core=core) for core in range(_CORES)),
        "proc/device-tree/model": model,
    }
    for kind in ("possible", "present", "online"):
        texts[f"sys/devices/system/cpu/{kind}"] = f"0-{_CORES - 1}\n"
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="ascii")
    (root / "lib").symlink_to(_LIBRARIES)


def _emulator(target):
    found = shutil.which(_EMULATOR)
    if not found:
        raise DeviceError(
            f"{target}: {_EMULATOR} is not installed. Install it; on Debian, qemu-user."
        )
    if not (_LIBRARIES / "libstdc++.so.6").exists():
        raise DeviceError(
            f"{target}: {_LIBRARIES} has no C++ library. Install it; on Debian, "
            "libstdc++6-arm64-cross."
        )
    return found


def _version(emulator):
    done = subprocess.run(
        [emulator, "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"version ([\d.]+)", done.stdout)
    return found[1] if found else "of unknown version"

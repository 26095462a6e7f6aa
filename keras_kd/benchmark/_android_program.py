"""The program of `export/linux`, built by `export/android` for Android."""

import dataclasses
import shlex
import tempfile
from pathlib import Path

from keras_kd.benchmark._android_output import complaint
from keras_kd.benchmark._android_tool import check_abi
from keras_kd.benchmark._programs import export_folder
from keras_kd.benchmark.golden import read_outputs
from keras_kd.benchmark.measurement import DeviceError, read_line

PROGRAM = "run_student"
LIBRARY = "libLiteRt.so"
RUN_S = 600


def find_program(target, abis):
    """The folder with the program for a device and its library, or None.

    Args:
        target: str, as the user gave it, for messages.
        abis: list of str, what the device runs, the best first.

    Returns:
        A `Path`, `export/android/build/ABI`, if both files are there.

    Raises:
        DeviceError: They are there and for another kind of processor.
    """
    try:
        build = export_folder("android") / "build"
    except DeviceError:  # no programs at all: benchmark_model will do
        return None
    for abi in abis:
        folder = build / abi
        if (folder / PROGRAM).exists() and (folder / LIBRARY).exists():
            for name in (PROGRAM, LIBRARY):
                check_abi(target, folder / name, [abi])
            return folder
    return None


def run_program(request, device, about, folder, program):
    """The `Measurement` of the program on the device's CPU.

    Args:
        request: `Request`.
        device: `Device`.
        about: `About` the device.
        folder: `Folder` on the device, with the file in it as student.tflite.
        program: `Path` from `find_program`.
    """
    for name in (PROGRAM, LIBRARY):
        device.push(program / name, f"{folder.path}/{name}")
    options = [
        *("--threads", str(request.threads)),
        *("--runs", str(request.runs)),
        *("--warmup", str(request.warmup)),
        *(["--profile"] if request.profile else []),
    ]
    if request.golden:
        device.push(request.golden, f"{folder.path}/golden")
        options += ["--golden", "golden", "--outputs", "outputs"]
    code, printed = device.shell(
        f"cd {folder.path} && chmod 755 {PROGRAM} && "
        f"LD_LIBRARY_PATH={folder.path} ./{PROGRAM} student.tflite "
        f"{shlex.join(options)}",
        timeout_s=RUN_S,
    )
    if code:
        raise DeviceError(
            f"{request.target}: {PROGRAM} failed with {code} ({complaint(printed)})."
        )
    # LiteRT logs to the same place.
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    kind = "emulator" if about.is_emulated else "CPU"
    measurement = read_line(
        lines[-1] if lines else printed,
        target=request.target,
        measured_on=f"Android {kind}, {program.name}",
        outputs=_outputs(request, device, folder) if request.golden else None,
    )
    return dataclasses.replace(
        measurement, machine=about.machine, is_emulated=about.is_emulated
    )


def _outputs(request, device, folder):
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as here:
        path = Path(here, "outputs")
        device.pull(f"{folder.path}/outputs", path)
        return read_outputs(path, request.path)

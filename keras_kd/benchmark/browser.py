"""Chromium on this machine, as a target: the page of export/web on LiteRT.js."""

import platform
import tempfile
from pathlib import Path

import numpy as np

from keras_kd._checks import check_choice
from keras_kd.benchmark._browser_packages import find_node, packages_folder
from keras_kd.benchmark._browser_run import printed_line
from keras_kd.benchmark._programs import export_folder
from keras_kd.benchmark.golden import read_outputs
from keras_kd.benchmark.measurement import DeviceError, read_line
from keras_kd.outputs.litert import open_interpreter

WHERE = "keras_kd.benchmark.measure"
ACCELERATORS = {"wasm": "CPU", "webgpu": "GPU"}
# Of the tensors that LiteRT.js can fill and read.
DTYPES = ("float32", "int32", "uint8")


def run(request):
    """Runs a file in headless Chromium.

    Node.js, npm and Chromium or Chrome are to be installed; LiteRT.js is fetched on
    first use.

    Args:
        request: a `Request`; the place of its target may name the accelerator,
            "browser:webgpu".

    Returns:
        A `Measurement`, without operations and memory: browsers tell neither.

    Raises:
        DeviceError: Something is not installed, or the browser refused the file, as
            those with int8 input.
        ValueError: There is no such accelerator.
    """
    accelerator = request.place or "wasm"
    check_choice(WHERE, "target's accelerator", accelerator, tuple(ACCELERATORS))
    _check_types(request)
    program = export_folder("web")
    node = find_node(request.target)
    packages = packages_folder(request.target, program)
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as name:
        outputs = Path(name, "outputs")
        command = [node, program / "drive.mjs", request.path]
        command += ["--packages", packages, "--accelerator", accelerator]
        for option in ("threads", "runs", "warmup"):
            command += [f"--{option}", str(getattr(request, option))]
        if request.golden is not None:
            command += ["--golden", request.golden, "--outputs", outputs]
        line = printed_line(request.target, command, Path(name))
        return read_line(
            line,
            target=request.target,
            measured_on=f"browser {ACCELERATORS[accelerator]}, "
            + platform.machine().replace("_", "-"),
            outputs=read_outputs(outputs, request.path) if request.golden else None,
        )


def _check_types(request):
    interpreter = open_interpreter(WHERE, request.path)
    details = interpreter.get_input_details() + interpreter.get_output_details()
    dtypes = {np.dtype(one["dtype"]).name for one in details}
    if not dtypes <= set(DTYPES):
        raise DeviceError(
            f"{request.target}: expected input and output of {', '.join(DTYPES)}, "
            f"which LiteRT.js takes, got {' and '.join(sorted(dtypes))} in "
            f"{request.path.name}. Make the file with keras_kd.export.convert(..., "
            "float_io=True)."
        )

"""TensorFlow's converter, run in a process of its own, and what its failures mean."""

import json
import re
import signal
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_kd._checks import ConversionError
from keras_kd.export._server import do_job
from keras_kd.export.quantization import for_converter

WHERE = "keras_kd.export.convert"


def run_converter(
    deployed, path, *, precision, calibration, float_io=False, trained_ranges=False
):
    """Writes what a model computes as a .tflite file.

    Args:
        deployed: the `Deployed` model.
        path: `Path` of the file, which may exist and be empty.
        precision: str, see `convert`.
        calibration: None, or array `(n, ...)` of what the file will be given.
        float_io: bool, see `convert`.
        trained_ranges: bool, whether the model is quantisation-aware.

    Raises:
        ConversionError: The converter failed or crashed.
    """
    with tempfile.TemporaryDirectory(prefix="keras-kd-") as name:
        folder = Path(name)
        try:
            _save(deployed, folder / "saved_model")
        except Exception as error:
            # Whatever a layer of the user's, or a name that TensorFlow refuses, raises.
            reason = " ".join(str(error).split()) or repr(error)
            raise ConversionError(
                f'{WHERE}: "{deployed.model.name}" could not be traced by TensorFlow: '
                f"{reason}"
            ) from error
        job = {
            "saved_model": str(folder / "saved_model"),
            "output": str(path),
            "precision": precision,
            "calibration": None,
            "float_io": float_io,
            "trained_ranges": trained_ranges,
        }
        if calibration is not None:
            job["calibration"] = str(folder / "calibration.npy")
            np.save(job["calibration"], calibration.astype(deployed.dtype))
        job_file = folder / "job.json"
        job_file.write_text(json.dumps(job), encoding="utf-8")
        exit_code, printed = do_job(job_file)
    if exit_code:
        error = ConversionError(
            explain(deployed.model.name, precision, exit_code, printed)
        )
        error.printed = printed
        raise error


def _save(deployed, folder):
    archive = keras.export.ExportArchive()
    archive.track(deployed.model)
    if deployed.scaling is not None:
        archive.track(deployed.scaling)
    signature = keras.InputSpec(
        shape=deployed.shape, dtype=deployed.dtype, name=deployed.input_name
    )
    with for_converter():
        archive.add_endpoint("serve", deployed, input_signature=[signature])
        archive.write_out(folder, verbose=False)


def explain(model_name, precision, exit_code, printed):
    """What went wrong in the converter, and what to do about it.

    Args:
        model_name: str.
        precision: str, see `convert`.
        exit_code: int, negative for a signal.
        printed: str, all that the converter wrote.

    Returns:
        A sentence or two.
    """
    what = f'{WHERE}: "{model_name}" could not be written as {precision}: '
    if exit_code == -signal.SIGKILL:
        return (
            f"{what}the process that converts was killed, by somebody or for want of "
            "memory. Free some, and convert again."
        )
    if exit_code < 0:
        return (
            f"{what}TensorFlow's converter crashed with signal {-exit_code}. "
            "Recurrent layers cause this: build them with unroll=True."
        )
    missing = re.findall(r"^(?:TF Select|Custom) ops: (.+)$", printed, re.M)
    if missing:
        places = re.findall(r'fused\["\w+:", "([^"@]+/[^"@]+)@', printed)
        where = f" (in {places[0]})" if places else ""
        return (
            f"{what}TFLite has no builtin operation for {', '.join(missing)}{where}. "
            "Replace the layer by one of standard operations."
        )
    integer_only = re.search(r"not yet supported for op: '(\w+)'", printed)
    if integer_only:
        return (
            f"{what}TFLite has no {integer_only[1]} with int16 activations. Use "
            'precision="int8", or another layer.'
        )
    if "Max and min for dynamic tensors should be recorded" in printed:
        return (
            f"{what}inputs of whole numbers cannot have int16 activations behind them. "
            'Use precision="int8".'
        )
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    errors = [line for line in lines if "rror" in line]
    return f"{what}{(errors or lines or ['no message'])[-1]}"

"""What a program on a device must know about a .tflite file."""

import collections
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from keras_kd._versions import version
from keras_kd.export import _tflite
from keras_kd.export.litert import LiteRtModel
from keras_kd.export.normalization import Normalization

PACKAGES = (
    "keras-kd",
    "keras",
    "tensorflow",
    "ai-edge-litert",
    "ai-edge-quantizer",
)


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a .tflite file.

    Attributes:
        name: str, in the signature.
        shape: tuple of int, with the batch axis (1).
        dtype: str, such as "int8".
        scale: float, real value = (stored - zero_point) · scale; None if not quantised.
        zero_point: int, None if not quantised.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class Manifest:
    """The content of the .json file beside a .tflite file.

    Attributes:
        file: str, the name of the .tflite file.
        precision: str, see `convert`.
        signature: str, the name of the one signature.
        input: `TensorInfo`.
        input_range: `(low, high)` of real input values, or None if not known.
        normalization: `Normalization` of raw inputs, or None if not known.
        normalization_folded: bool, whether the file does it, and takes raw inputs.
        output: `TensorInfo`.
        output_kind: "logits", "softmax", "sigmoid" or "unknown".
        labels: tuple of class names in order, or None.
        ops: dict of TFLite operation to how often it occurs.
        params: int, the weights of the Keras model.
        size_bytes: int, of the .tflite file.
        sha256: str, of the .tflite file.
        versions: dict of package to version.
    """

    file: str
    precision: str
    signature: str
    input: TensorInfo
    input_range: tuple[float, float] | None
    normalization: Normalization | None
    normalization_folded: bool
    output: TensorInfo
    output_kind: str
    labels: tuple[str, ...] | None
    ops: dict[str, int]
    params: int
    size_bytes: int
    sha256: str
    versions: dict[str, str]

    def to_json(self):
        """The manifest as indented JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def describe(path, *, name, precision, params, description, labels, input_range):
    """Makes the manifest of a .tflite file from the file itself.

    Args:
        path: `Path` of the file as it is now.
        name: str, the file's final name.
        precision: str, see `convert`.
        params: int, the weights of the Keras model.
        description: the `Description` in the file.
        labels: class names or None.
        input_range: `(low, high)` or None.

    Returns:
        A `Manifest`.
    """
    content = Path(path).read_bytes()
    runtime = LiteRtModel(path)
    [(signature, names)] = runtime.interpreter.get_signature_list().items()
    return Manifest(
        file=name,
        precision=precision,
        signature=signature,
        input=_tensor_info(names["inputs"][0], runtime.input),
        input_range=input_range,
        normalization=description.normalization,
        normalization_folded=description.normalization_folded,
        output=_tensor_info(names["outputs"][0], runtime.output),
        output_kind=description.output_kind,
        labels=labels,
        ops=operations(path),
        params=params,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        versions=versions(),
    )


def operations(path):
    """The operations of a .tflite file and how often each occurs.

    Args:
        path: `str` or `Path`.

    Returns:
        A dict of name to count; custom operations as "CUSTOM:name".
    """
    _, model = _tflite.read("keras_kd.export.convert", path)
    names = (
        _tflite.operation_name(model, operator)
        for operator in model.subgraphs[0].operators
    )
    return dict(sorted(collections.Counter(names).items()))


def versions():
    """The versions of the packages that decide what a file looks like."""
    return {package: version(package) for package in PACKAGES}


def _tensor_info(name, details):
    scale, zero_point = details["quantization"]
    return TensorInfo(
        name=name,
        shape=tuple(int(size) for size in details["shape"]),
        dtype=details["dtype"].__name__,
        scale=float(scale) if scale else None,
        zero_point=int(zero_point) if scale else None,
    )

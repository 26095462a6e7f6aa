"""What a program on a device must know about a .tflite file."""

import collections
import hashlib
import importlib.metadata
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from keras_kd.export.litert import LiteRtModel
from keras_kd.outputs import find_head

PACKAGES = ("keras-kd", "keras", "tensorflow", "ai-edge-litert")
_OP_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()
}


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a .tflite file.

    Attributes:
        name: str, in the file.
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
        input: `TensorInfo`.
        input_range: `(low, high)` of real input values, or None if not known.
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
    input: TensorInfo
    input_range: tuple[float, float] | None
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


def describe(path, *, name, precision, model, labels, input_range):
    """Makes the manifest of a .tflite file from the file itself.

    Args:
        path: `Path` of the file as it is now.
        name: str, the file's final name.
        precision: str, see `convert`.
        model: the Keras model that it was made from.
        labels: class names or None.
        input_range: `(low, high)` or None.

    Returns:
        A `Manifest`.
    """
    content = Path(path).read_bytes()
    runtime = LiteRtModel(path)
    activation = find_head(model).activation
    return Manifest(
        file=name,
        precision=precision,
        input=_tensor_info(runtime.input),
        input_range=input_range and tuple(map(float, input_range)),
        output=_tensor_info(runtime.output),
        output_kind="logits" if activation == "linear" else activation,
        labels=labels and tuple(map(str, labels)),
        ops=operations(content),
        params=model.count_params(),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        versions=versions(),
    )


def operations(content):
    """The operations of a .tflite file and how often each occurs.

    Args:
        content: bytes of the file.

    Returns:
        A dict of name to count; custom operations as "CUSTOM:name".
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    codes = [model.operatorCodes[op.opcodeIndex] for op in model.subgraphs[0].operators]
    return dict(sorted(collections.Counter(map(_op_name, codes)).items()))


def versions():
    """The versions of the packages that decide what a file looks like."""
    return {package: importlib.metadata.version(package) for package in PACKAGES}


def _op_name(code):
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _OP_NAMES.get(number, str(number))
    return f"CUSTOM:{code.customCode.decode()}" if name == "CUSTOM" else name


def _tensor_info(details):
    scale, zero_point = details["quantization"]
    return TensorInfo(
        name=details["name"],
        shape=tuple(int(size) for size in details["shape"]),
        dtype=details["dtype"].__name__,
        scale=float(scale) if scale else None,
        zero_point=int(zero_point) if scale else None,
    )

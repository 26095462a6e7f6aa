"""What a .tflite file says about itself: scaling, labels, names."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_kd.export import _tflite
from keras_kd.export._standard_metadata import LABELS_FILE, pack_metadata
from keras_kd.export.normalization import Normalization

# In Model.metadata; the first is TensorFlow's standard, the second is for `verify`.
STANDARD = b"TFLITE_METADATA"
OWN = b"KERAS_KD"


@dataclass(frozen=True)
class Description:
    """What a file tells of itself, for programs that have no manifest beside it.

    Attributes:
        output_kind: str, see `Manifest`.
        normalization: `Normalization` of raw inputs, or None.
        normalization_folded: bool, whether the file does it, and takes raw inputs.
    """

    output_kind: str
    normalization: Normalization | None
    normalization_folded: bool


def annotate(path, description, *, name, input_range, labels):
    """Writes a description, and the standard metadata, into a .tflite file.

    The file stays one that every TFLite runtime reads; labels lie in it as
    "labels.txt" of a ZIP archive at its end, where MediaPipe looks for them.

    Args:
        path: `Path` of the file, which is changed in place.
        description: a `Description`.
        name: str, of the model.
        input_range: `(low, high)` of what the file is given, or None.
        labels: tuple of str, or None.
    """
    model = _tflite.unpacked(path.read_bytes())
    own = {
        "output_kind": description.output_kind,
        "normalization_folded": description.normalization_folded,
    }
    if description.normalization is not None:
        own["mean"] = description.normalization.mean
        own["std"] = description.normalization.std
    to_do = description.normalization
    if description.normalization_folded:
        to_do = Normalization((0.0,), (1.0,))
    standard = pack_metadata(
        model.subgraphs[0],
        name=name,
        normalization=to_do,
        input_range=input_range,
        has_labels=bool(labels),
    )
    _append(model, STANDARD, standard)
    _append(model, OWN, json.dumps(own).encode())
    path.write_bytes(_packed(model))
    if labels:
        with zipfile.ZipFile(path, "a") as archive:
            # A fixed date, so that the same model gives the same file.
            archive.writestr(zipfile.ZipInfo(LABELS_FILE), "\n".join(labels))


def read_description(path):
    """The `Description` in a .tflite file; None if keras_kd did not make it.

    Args:
        path: `str` or `Path` of a file that LiteRT can read.
    """
    model = schema.Model.GetRootAs(Path(path).read_bytes())
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == OWN:
            own = json.loads(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
            normalization = None
            if "mean" in own:
                normalization = Normalization(tuple(own["mean"]), tuple(own["std"]))
            return Description(
                own["output_kind"], normalization, own["normalization_folded"]
            )
    return None


class _AlignedBuffer(schema.BufferT):
    """A buffer at a multiple of 16 bytes, as the schema demands.

    Python's generated code ignores `force_align`; processors that cannot read a number
    across a boundary would stop at the weights.
    """

    def Pack(self, builder):  # noqa: N802 (the name that the schema's code calls)
        if self.data is None:
            return super().Pack(builder)
        data = np.frombuffer(bytes(bytearray(self.data)), np.uint8)
        builder.StartVector(1, len(data), 16)
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data.tobytes()
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def _append(model, name, data):
    buffer = schema.BufferT(data=np.frombuffer(data, np.uint8))
    model.buffers.append(buffer)
    entry = schema.MetadataT(name=name, buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]


def _packed(model):
    model.buffers = [_AlignedBuffer(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())

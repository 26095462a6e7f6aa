"""TFLite's standard metadata, as a flatbuffer.

Only the tables that a classifier needs. Those of metadata_schema.fbs have no Python
package of their own that lives beside TensorFlow 2.21: the numbers of fields below are
the positions in that schema, https://github.com/google-ai-edge/mediapipe/blob/master/
mediapipe/tasks/metadata/metadata_schema.fbs.
"""

import flatbuffers

LABELS_FILE = "labels.txt"
# Values of the schema's enumerations and unions.
_TENSOR_AXIS_LABELS = 2
_FEATURE, _IMAGE = 1, 2
_NORMALIZATION = 1
_COLOR_SPACES = {1: 2, 3: 1}  # of channels: grey, RGB


def pack_metadata(graph, *, name, normalization, input_range, has_labels):
    """The content of the metadata buffer "TFLITE_METADATA".

    Args:
        graph: `SubGraphT` with one input and one output.
        name: str, of the model.
        normalization: the `Normalization` that the caller has to do; None if that is
            not known.
        input_range: `(low, high)` of what the file is given, or None.
        has_labels: bool, whether the file holds `LABELS_FILE`.

    Returns:
        Bytes.
    """
    shape = list(graph.tensors[graph.inputs[0]].shape)
    builder = flatbuffers.Builder(512)
    image = _input(builder, shape, normalization, input_range)
    scores = _output(builder, has_labels)
    subgraph = _table(
        builder, {2: _vector(builder, [image]), 3: _vector(builder, [scores])}
    )
    fields = {
        0: builder.CreateString(name),
        3: _vector(builder, [subgraph]),
        7: builder.CreateString("1.0.0"),  # the least version of the parser
    }
    builder.Finish(_table(builder, fields), b"M001")
    return bytes(builder.Output())


def _input(builder, shape, normalization, input_range):
    color_space = _COLOR_SPACES.get(shape[-1]) if len(shape) == 4 else None
    fields = {
        0: builder.CreateString("image" if color_space else "input"),
        3: _content(builder, color_space),
    }
    if normalization is not None:
        mean, std = normalization.mean, normalization.std
        options = _table(builder, {0: _floats(builder, mean), 1: _floats(builder, std)})
        step = _union(builder, 0, _NORMALIZATION, options)
        fields[4] = _vector(builder, [step])
    if input_range is not None:
        low, high = input_range
        fields[5] = _table(
            builder, {0: _floats(builder, [high]), 1: _floats(builder, [low])}
        )
    return _table(builder, fields)


def _output(builder, has_labels):
    fields = {0: builder.CreateString("scores"), 3: _content(builder, None)}
    if has_labels:
        name = builder.CreateString(LABELS_FILE)
        labels = _table(builder, {0: name}, {2: _TENSOR_AXIS_LABELS})
        fields[6] = _vector(builder, [labels])
    return _table(builder, fields)


def _content(builder, color_space):
    """What a tensor is: an image, or numbers."""
    if color_space is None:
        return _union(builder, 0, _FEATURE, _table(builder, {}))
    return _union(builder, 0, _IMAGE, _table(builder, {}, {0: color_space}))


def _union(builder, slot, kind, value):
    """A table whose union at `slot` is `value`; its kind is in the slot before."""
    return _table(builder, {slot + 1: value}, {slot: kind})


def _table(builder, offsets, small_numbers=None):
    """A table of fields by their number: offsets of others, and 8-bit numbers."""
    small_numbers = small_numbers or {}
    builder.StartObject(1 + max([*offsets, *small_numbers], default=0))
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in small_numbers.items():
        builder.PrependInt8Slot(slot, number, 0)
    return builder.EndObject()


def _vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder, numbers):
    builder.StartVector(4, len(numbers), 4)
    for number in reversed(numbers):
        builder.PrependFloat32(number)
    return builder.EndVector()

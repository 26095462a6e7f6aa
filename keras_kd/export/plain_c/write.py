"""An int8 .tflite file as C source that computes it, without an interpreter."""

from dataclasses import dataclass
from pathlib import Path

from keras_kd._checks import invalid
from keras_kd._files import check_writable, written_whole
from keras_kd.export import _c_source, _tflite
from keras_kd.export.c_array import check_name
from keras_kd.export.inspect import inspect
from keras_kd.export.plain_c import elements, text, windows
from keras_kd.export.plain_c.memory import SAME_NUMBERS, places
from keras_kd.export.plain_c.operations import WHERE, operations
from keras_kd.export.plain_c.tables import FUNCTIONS, with_tables

_KERNELS = {
    "ADD": elements.addition,
    "AVERAGE_POOL_2D": windows.pooling,
    "CONCATENATION": elements.concatenation,
    "CONV_2D": windows.convolution,
    "DEPTHWISE_CONV_2D": windows.depthwise_convolution,
    "FULLY_CONNECTED": windows.dense,
    "MAX_POOL_2D": windows.pooling,
    "MEAN": elements.mean,
    "MUL": elements.multiplication,
    "PAD": elements.padding,
    "SOFTMAX": elements.softmax,
    "SUB": elements.addition,
    **dict.fromkeys(SAME_NUMBERS, lambda operation: []),
    **dict.fromkeys(FUNCTIONS, elements.look_up),
}
_WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
_OF_SEVERAL = {"ADD", "CONCATENATION", "MUL", "SUB"}
_SHARED = tuple(
    Path(__file__).with_name(f"keras_kd_kernels.{suffix}") for suffix in "hc"
)


@dataclass(frozen=True)
class PlainC:
    """A network in plain C.

    Attributes:
        files: tuple of `Path`: `<name>.h`, `<name>.c` and the two of the kernels.
        arena_bytes: int, memory for input, output and everything between.
        constant_bytes: int, weights and tables, which can stay in flash.
        macs: int, multiplications with accumulation of one run.
    """

    files: tuple[Path, ...]
    arena_bytes: int
    constant_bytes: int
    macs: int


def write_plain_c(tflite_path, folder, *, name="student_network"):
    """Writes an int8 .tflite file as C99 that computes it, for microcontrollers.

    The C needs no interpreter, no floats and no heap: static memory of `arena_bytes`,
    constants, one function to run it, and small kernels that it calls. It gives the
    bytes that the reference kernels of TensorFlow Lite Micro give; LiteRT's round dense
    layers otherwise, now and then by 1. `<name>.h` has, as macros in capitals that
    begin with `name`, shape, type and scale of input and output.

    Args:
        tflite_path: `str` or `Path` of an int8 file with int8 input and output, as
            `convert` writes with precision="int8".
        folder: `str` or `Path` that exists; the files appear in it, all or none.
        name: str, of the files and functions: an identifier of C.

    Returns:
        A `PlainC`.

    Raises:
        ValueError: The file is damaged, not int8 throughout, or has an operation
            without a kernel; or the name or folder cannot be used.

    Reference:
        Jacob et al., 2018, https://arxiv.org/abs/1712.05877, as in the reference
        kernels of https://github.com/tensorflow/tflite-micro.
        Departures: activations of one number are tables, as is the exponential of
        softmax; dense layers are convolutions of 1x1. The results are the same.

    Example:
        >>> import keras, numpy, pathlib, tempfile
        >>> from keras_kd.export import convert
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> x = numpy.random.default_rng(0).random((20, 4), "float32")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "student.tflite")
        ...     manifest = convert(model, path, precision="int8", calibration_data=x)
        ...     written = write_plain_c(path, folder)
        >>> written.macs, [path.name for path in written.files][:2]
        (12, ['student_network.h', 'student_network.c'])
    """
    check_name(WHERE, name)
    finals = [Path(folder, f"{name}.{suffix}") for suffix in "hc"]
    finals += [Path(folder, path.name) for path in _SHARED]
    for path in finals:
        check_writable(WHERE, path)
    _, model = _tflite.read(WHERE, tflite_path)
    inspection = inspect(tflite_path)
    steps = _checked(model, inspection)
    arena, offsets = places(steps)
    written = text.Source(offsets)
    for step in steps:
        written.add(step, _KERNELS[step.name](step))
    header, source = _texts(name, inspection, model, arena, written)
    with written_whole(*finals) as temporary:
        temporary[0].write_text(header, "ascii")
        temporary[1].write_text(source, "ascii")
        for path, shared in zip(temporary[2:], _SHARED, strict=True):
            path.write_bytes(shared.read_bytes())
    return PlainC(tuple(finals), arena, written.constant_bytes, inspection.macs)


def _texts(name, inspection, model, arena, written):
    facts = {
        "file": _c_source.plain(inspection.file),
        "name": name,
        "capitals": name.upper(),
    }
    header = text.header(
        **facts,
        constants=written.constant_bytes,
        arena=arena,
        macs=inspection.macs,
        borders=_c_source.borders(name.upper(), inspection),
    )
    graph = model.subgraphs[0]
    source = text.source(
        **facts,
        constants=written.constants,
        calls=written.calls,
        input=written.place(int(graph.inputs[0])),
        output=written.place(int(graph.outputs[0])),
    )
    return header, source


def _checked(model, inspection):
    """The operations, with tables, if there are kernels for all."""
    borders = inspection.inputs + inspection.outputs
    if len(inspection.inputs) != 1 or len(inspection.outputs) != 1:
        raise invalid(
            WHERE,
            "a file with one input and one output",
            f'"{inspection.file}" with {len(borders)} in all',
            "Write one file for each.",
        )
    for tensor in borders:
        if tensor.dtype != "int8" or None in tensor.shape:
            raise invalid(
                WHERE,
                "an input and an output of int8 and fixed size",
                f'"{inspection.file}", whose {tensor.name} is {tensor.dtype} '
                f"{tensor.shape}",
                'Convert it with precision="int8" and float_io=False.',
            )
    found = operations(model)
    for operation in found:
        if operation.name not in _KERNELS:
            raise operation.refused("there is none")
        _check_types(operation)
    return with_tables(found)


def _check_types(operation):
    """Raises unless the numbers it works on are int8, with one scale each."""
    worked_on = operation.inputs
    if operation.name not in _OF_SEVERAL:
        # The others are biases, axes, amounts or shapes.
        worked_on = worked_on[: 2 if operation.name in _WEIGHTED else 1]
    for number in (*worked_on, operation.output):
        kind = _tflite.dtype(operation.tensor(number))
        if kind != "int8":
            raise operation.refused(f"it works on {kind}, kernels on int8")
        is_weights = operation.name in _WEIGHTED and number == operation.inputs[1]
        if operation.scale(number)[0] is None and not is_weights:
            raise operation.refused("a tensor of it has no scale, or several")

"""A .tflite file as C source, to be compiled into firmware."""

import re
import zipfile
from pathlib import Path

from keras_kd._checks import invalid
from keras_kd._files import check_writable, written_whole
from keras_kd.export import _c_source
from keras_kd.export._standard_metadata import LABELS_FILE
from keras_kd.export.inspect import inspect

WHERE = "keras_kd.export.write_c_array"
# Of C23 and C++23, together.
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
        alignas alignof and and_eq asm auto bitand bitor bool break case catch char
        char16_t char32_t char8_t class co_await co_return co_yield compl concept const
        const_cast consteval constexpr constinit continue decltype default delete do
        double dynamic_cast else enum explicit export extern false float for friend goto
        if inline int long main mutable namespace new noexcept not not_eq nullptr
        operator or or_eq private protected public register reinterpret_cast requires
        restrict return short signed sizeof static static_assert static_cast struct
        switch template this thread_local throw true try typedef typeid typename typeof
        typeof_unqual union unsigned using virtual void volatile wchar_t while xor
        xor_eq
        """,
    )
)


def write_c_array(tflite_path, folder, *, name="student_model"):
    """Writes a .tflite file as a C array, with what firmware must know about it.

    The header has, as macros in capitals that begin with `name`: the bytes of the
    array, the bytes of an arena that is enough for TensorFlow Lite Micro, and shape,
    type and scale of input and output. For C++ it has the function
    `<name>_add_operations(resolver)`, which fills a
    `tflite::MicroMutableOpResolver<<NAME>_OPERATIONS>`; if TensorFlow Lite Micro cannot
    run the file, the header says why in its place. Labels that the file has follow as
    an array of strings.

    Args:
        tflite_path: `str` or `Path`, as `convert` wrote it.
        folder: `str` or `Path` that exists; `<name>.h` and `<name>.c` appear in it,
            both or neither.
        name: str, of the array: an identifier of C.

    Returns:
        `(header, source)`, two `Path`.

    Raises:
        ValueError: The file is damaged, or the name or folder cannot be used.

    Example:
        >>> import keras, pathlib, tempfile
        >>> from keras_kd.export import convert
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "student.tflite")
        ...     manifest = convert(model, path, precision="float32")
        ...     header, source = write_c_array(path, folder)
        ...     "student_model_add_operations" in header.read_text()
        True
    """
    check_name(WHERE, name)
    header, source = Path(folder, f"{name}.h"), Path(folder, f"{name}.c")
    check_writable(WHERE, header)
    check_writable(WHERE, source)
    inspection = inspect(tflite_path)
    open_ones = [
        tensor.name
        for tensor in inspection.inputs + inspection.outputs
        if None in tensor.shape
    ]
    if open_ones:
        raise invalid(
            WHERE,
            "a file whose inputs and outputs have fixed sizes",
            f'"{tflite_path}", where {open_ones[0]} has not',
            "Make it with keras_kd.export.convert.",
        )
    content, labels = Path(tflite_path).read_bytes(), _labels(tflite_path)
    with written_whole(header, source) as (new_header, new_source):
        new_header.write_text(_c_source.header(name, inspection, labels), "ascii")
        new_source.write_text(_c_source.source(name, content, labels), "ascii")
    return header, source


def check_name(where, name):
    """Raises unless `name` is an identifier of C; `where` is as in `invalid`."""
    is_identifier = isinstance(name, str) and re.fullmatch(
        r"[A-Za-z]\w*", name, re.ASCII
    )
    if not is_identifier or name in _KEYWORDS or "__" in name:
        raise invalid(
            where,
            "`name` as an identifier of C: letters, digits and single underscores, a "
            "letter first, no keyword",
            repr(name),
            'Say "student_model".',
        )


def _labels(path):
    """The labels in a file, or none."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        if LABELS_FILE not in archive.namelist():
            return []
        return archive.read(LABELS_FILE).decode().split("\n")

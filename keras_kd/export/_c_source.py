"""The text of the two C files of a model."""

import math
import re

from keras_kd.export import _micro
from keras_kd.export._targets import refused_by_micro

_BYTES_A_LINE = 12
_C_TYPES = {
    "bool": "unsigned char",
    "float32": "float",
    "float64": "double",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
    "uint64": "uint64_t",
}
_HEADER = """\
/* {file}, {precision} input, as a C array. Written by keras_kd. */
#ifndef {capitals}_H_
#define {capitals}_H_

#include <stdint.h>

/* The file, and an arena that is enough for TensorFlow Lite Micro. Of the arena,
   {activations} bytes are for activations; the rest is a bound of what its interpreter
   keeps, on a 64-bit processor. {capitals}_OPERATIONS is how many it must know. */
#define {capitals}_BYTES {size}
#define {capitals}_ARENA_BYTES {arena}
#define {capitals}_OPERATIONS {count}

{borders}
#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char {name}[{capitals}_BYTES];
{labels}
#ifdef __cplusplus
}}
#endif

{resolver}
#endif /* {capitals}_H_ */
"""
_RESOLVER = """\
#ifdef __cplusplus
/* For tflite::MicroMutableOpResolver<{capitals}_OPERATIONS>: adds what the file uses,
   and tells whether that went well. */
template <typename Resolver>
inline bool {name}_add_operations(Resolver& resolver) {{
  return {calls};
}}
#endif
"""
_SOURCE = """\
/* Written by keras_kd. */
#include "{name}.h"

#if defined(__cplusplus) && __cplusplus >= 201103L
#define {capitals}_ALIGNED alignas(16)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define {capitals}_ALIGNED _Alignas(16)
#elif defined(__GNUC__)
#define {capitals}_ALIGNED __attribute__((aligned(16)))
#elif defined(_MSC_VER)
#define {capitals}_ALIGNED __declspec(align(16))
#else
#error "Tell how this compiler aligns an array to 16 bytes."
#endif

{capitals}_ALIGNED const unsigned char {name}[{capitals}_BYTES] = {{
{array}
}};
{labels}"""


def header(name, inspection, labels):
    """The text of the header.

    Args:
        name: str, an identifier of C.
        inspection: the file's `Inspection`, of fixed shapes.
        labels: list of str, which may be empty.
    """
    capitals = name.upper()
    names = sorted({operation.name for operation in inspection.operations})
    return _HEADER.format(
        file=plain(inspection.file),
        precision=inspection.inputs[0].dtype,
        name=name,
        capitals=capitals,
        size=inspection.size_bytes,
        arena=inspection.micro_arena_bytes,
        activations=inspection.arena_bytes,
        count=len(names),
        borders=borders(capitals, inspection),
        labels=_label_lines(name, labels, "extern ", ";") if labels else "",
        resolver=_resolver(name, names, inspection),
    )


def source(name, content, labels):
    """The text of the source file.

    Args:
        name: str, an identifier of C.
        content: bytes of the .tflite file.
        labels: list of str, which may be empty.
    """
    values = [f"0x{byte:02x}" for byte in content]
    lines = (
        ", ".join(values[start : start + _BYTES_A_LINE])
        for start in range(0, len(values), _BYTES_A_LINE)
    )
    strings = ""
    if labels:
        listed = "".join(f"\n    {_string(label)}," for label in labels)
        strings = "\n" + _label_lines(name, labels, "", f" = {{{listed}\n}};")
    return _SOURCE.format(
        name=name,
        capitals=name.upper(),
        array="    " + ",\n    ".join(lines),
        labels=strings,
    )


def borders(capitals, inspection):
    """Macros for each input and output."""
    text = ""
    for kind, tensors in (("INPUT", inspection.inputs), ("OUTPUT", inspection.outputs)):
        for number, tensor in enumerate(tensors):
            which = f"{kind}_{number}" if len(tensors) > 1 else kind
            facts = {
                "TYPE": _C_TYPES.get(tensor.dtype, "unsigned char"),
                "SHAPE": f"{{{', '.join(map(str, tensor.shape))}}}",
                "ELEMENTS": math.prod(tensor.shape),
            }
            if tensor.scale is not None:
                text += "/* real value = (stored - ZERO_POINT) * SCALE */\n"
                facts["SCALE"] = _float(tensor.scale)
                facts["ZERO_POINT"] = f"({tensor.zero_point})"
            for fact, value in facts.items():
                text += f"#define {capitals}_{which}_{fact} {value}\n"
            text += "\n"
    return text


def _resolver(name, names, inspection):
    problems = refused_by_micro(inspection)
    custom = [one.name for one in inspection.not_builtin]
    if not problems and not custom:
        calls = [f"resolver.{_micro.resolver_method(one)}() == 0" for one in names]
        return _RESOLVER.format(
            name=name, capitals=name.upper(), calls=" &&\n         ".join(calls)
        )
    reasons = {f"{one.operation}: {one.reason}" for one in problems}
    reasons |= {f"{one}: it is not builtin." for one in custom}
    listed = "".join(f"\n   {plain(reason)}" for reason in sorted(reasons))
    return f"/* TensorFlow Lite Micro cannot run this file.{listed} */\n"


def _label_lines(name, labels, before, after):
    size = f"{name.upper()}_LABELS"
    count = f"#define {size} {len(labels)}\n" if before else ""
    return f"{count}{before}const char* const {name}_labels[{size}]{after}\n"


def _string(text):
    """A string of C, where every byte but plain ones is written as three digits."""
    plain = re.compile(rb"[^\w !#$%&'()*+,./:;<=>@\[\]^`{|}~-]")
    escaped = plain.sub(lambda match: b"\\%03o" % match[0][0], text.encode())
    return f'"{escaped.decode()}"'


def plain(text):
    """What cannot end a comment, or begin another."""
    return re.sub(r"[^\w .,:()/-]", "_", text, flags=re.ASCII)


def _float(value):
    digits = f"{value:.9g}"
    return f"{digits}f" if re.search(r"[.e]", digits) else f"{digits}.0f"

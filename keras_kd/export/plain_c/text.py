"""The text of the generated C."""

import numpy as np

from keras_kd.export._c_source import plain
from keras_kd.export.plain_c.parts import Array, Record

_BYTES_A_LINE = 80
_HEADER = """\
/* {file} in plain C: no interpreter, no floats, no memory from a heap.
   Written by keras_kd. */
#ifndef {capitals}_H_
#define {capitals}_H_

#include <stdint.h>

/* Memory for input, output and everything between, which {name}.c has. Constants
   take {constants} bytes more, which can stay in flash. */
#define {capitals}_ARENA_BYTES {arena}
/* Multiplications with accumulation of one run. */
#define {capitals}_MACS {macs}

{borders}
#ifdef __cplusplus
extern "C" {{
#endif

/* Where the input goes, and where the output is after a run. Both lie in memory that
   is used again while it runs: fill in the input before each run. */
int8_t *{name}_input(void);
const int8_t *{name}_output(void);
void {name}_run(void);

#ifdef __cplusplus
}}
#endif

#endif /* {capitals}_H_ */
"""
_SOURCE = """\
/* {file} in plain C. Written by keras_kd. */
#include "{name}.h"

#include "keras_kd_kernels.h"

static int8_t arena[{capitals}_ARENA_BYTES];

{constants}
int8_t *{name}_input(void) {{ return {input}; }}

const int8_t *{name}_output(void) {{ return {output}; }}

void {name}_run(void)
{{
{calls}}}
"""


class Source:
    """Collects the constants and calls of a network.

    Args:
        offsets: dict of tensor to its place in the arena.

    Attributes:
        constants: str, C.
        calls: str, C.
        constant_bytes: int, what the arrays take.
    """

    def __init__(self, offsets):
        self.offsets = offsets
        self.constants = ""
        self.calls = ""
        self.constant_bytes = 0
        self._count = 0
        self._constant_tensors = {}

    def add(self, operation, calls):
        """Appends the calls of one operation."""
        layer = f" of layer {plain(operation.layer)}" if operation.layer else ""
        comment = f"{operation.name}{layer}"
        self.constants += f"/* {comment} */\n" if calls else ""
        for call in calls:
            self._count += 1
            arguments = [self._argument(one) for one in call.arguments]
            arguments += [self._input(operation, number) for number in call.inputs]
            arguments.append(self.place(call.output, call.offset))
            self.calls += f"  /* {comment} */\n" if call is calls[0] else ""
            self.calls += f"  {call.function}({', '.join(arguments)});\n"
        self.constants += "\n" if calls else ""

    def place(self, number, offset=0):
        """The pointer to a tensor in the arena."""
        return f"arena + {self.offsets[number] + offset}"

    def _input(self, operation, number):
        if not operation.is_constant(number):
            return self.place(number)
        if number not in self._constant_tensors:
            values = Array(operation.constant(number))
            self._constant_tensors[number] = self._array(f"tensor_{number}", values)
        return self._constant_tensors[number]

    def _argument(self, value):
        if isinstance(value, Array):
            return self._array(f"table_{self._count}", value)
        if not isinstance(value, Record):
            return str(value)
        name = f"step_{self._count}"
        body = self._fields(value.fields, "  ")
        self.constants += f"static const {value.type} {name} = {{\n{body}}};\n"
        return f"&{name}"

    def _fields(self, fields, indent):
        text = ""
        for name, value in fields.items():
            text += f"{indent}.{name} = {self._value(name, value)},\n"
        return text

    def _value(self, name, value):
        if value is None:
            return "0"
        if isinstance(value, Array):
            return self._array(f"{name}_{self._count}", value)
        if isinstance(value, dict):
            inner = ", ".join(f".{key} = {one}" for key, one in value.items())
            return f"{{{inner}}}"
        if isinstance(value, tuple):
            return f"{{{', '.join(map(str, value))}}}"
        return str(value)

    def _array(self, name, array):
        values = np.ravel(array.values)
        self.constants += f"static const {values.dtype}_t {name}[{values.size}] = {{\n"
        self.constants += "".join(f"  {line}\n" for line in _lines(values)) + "};\n"
        self.constant_bytes += values.nbytes
        return name


def header(**facts):
    """The text of the header; see `_HEADER` for the facts."""
    return _HEADER.format(**facts)


def source(**facts):
    """The text of the source file; see `_SOURCE` for the facts."""
    return _SOURCE.format(**facts)


def _lines(values):
    """Numbers with commas, in lines."""
    line = ""
    for value in values.tolist():
        # The least int32 has no constant of its own in C.
        text = "-2147483647 - 1," if value == -(2**31) else f"{value},"
        if len(line) + len(text) > _BYTES_A_LINE:
            yield line
            line = ""
        line += f" {text}" if line else text
    yield line

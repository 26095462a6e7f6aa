"""What generated C consists of: calls of kernels with their constants."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Array:
    """A constant array.

    Attributes:
        values: integer array; its dtype tells that of C.
    """

    values: np.ndarray


@dataclass(frozen=True)
class Record:
    """A constant structure.

    Attributes:
        type: str, its type in C.
        fields: dict of name to an int, a tuple of int, an `Array`, None for a null
            pointer, or a dict of a structure inside.
    """

    type: str
    fields: dict


@dataclass(frozen=True)
class Call:
    """A call of a kernel.

    Attributes:
        function: str, of `keras_kd_kernels.h`.
        arguments: tuple of `Record`, `Array` and int, before the tensors.
        inputs: tuple of int, numbers of tensors.
        output: int, number of a tensor.
        offset: int, where in it the result begins.
    """

    function: str
    arguments: tuple
    inputs: tuple[int, ...]
    output: int
    offset: int = 0

"""How the soft targets of one example are packed into bytes, and unpacked."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

_CODES = {"float16": "<f2", "float32": "<f4"}
_TYPES = {"<f2": tf.float16, "<f4": tf.float32, "<i4": tf.int32, "<u2": tf.uint16}


@dataclass(frozen=True)
class Rows:
    """Rows of equal size, one an example: hashes that identify it, and logits.

    Of all classes, or of the `top_k` likeliest: then their numbers, as integers, and
    what is left of the mass. As `tail` that is T · logsumexp(zᵢ / T) over the other
    classes, a logit: it holds tails that are too small for a probability in float32.

    Attributes:
        num_classes: int.
        dtype: "float16" or "float32", of the stored logits.
        top_k: int below `num_classes`, or None for all.
        temperature: float > 0, the T of the tail.

    Example:
        >>> Rows(1000, "float16", 10, 1.0).row_bytes
        52
    """

    num_classes: int
    dtype: str
    top_k: int | None
    temperature: float

    @cached_property
    def record(self):
        """The `np.dtype` of a row."""
        stored = self.top_k or self.num_classes
        fields = [
            ("id_hash", "<i4"),
            ("content_hash", "<i4"),
            ("logits", _CODES[self.dtype], (stored,)),
        ]
        if self.top_k:
            # Never through float16, which has no whole numbers above 2048.
            code = "<u2" if self.num_classes <= 2**16 else "<i4"
            fields += [("classes", code, (stored,)), ("tail", "<f4", (1,))]
        return np.dtype(fields)

    @property
    def row_bytes(self):
        """The size of a row."""
        return self.record.itemsize

    def chosen(self, logits):
        """What is stored of logits, but for the rounding.

        Args:
            logits: float32 `(batch, num_classes)`.

        Returns:
            A dict of the row's fields to tensors.
        """
        if not self.top_k:
            return {"logits": logits}
        values, classes = tf.math.top_k(logits, self.top_k)
        gone = tf.fill(tf.shape(values), -math.inf)
        others = tf.tensor_scatter_nd_update(logits, _positions(classes), gone)
        others = tf.reduce_logsumexp(others / self.temperature, axis=-1, keepdims=True)
        return {
            "logits": values,
            "classes": classes,
            "tail": self.temperature * others,
        }

    def packed(self, fields):
        """Rows of arrays.

        Args:
            fields: dict of field name to array `(batch, ...)`.

        Returns:
            A structured array `(batch,)` of the dtype `record`.
        """
        rows = np.empty(len(fields["id_hash"]), self.record)
        # What float16 cannot hold becomes infinite, which the caller looks for.
        with np.errstate(over="ignore"):
            for name, values in fields.items():
                rows[name] = values
        return rows

    def column(self, rows, name):
        """One field of rows that were read.

        Args:
            rows: uint8 tensor `(batch, row_bytes)`.
            name: str.

        Returns:
            A tensor `(batch, values)`.
        """
        field, offset = self.record.fields[name]
        size_bytes = field.base.itemsize
        values = rows[:, offset : offset + field.itemsize]
        values = tf.reshape(values, (-1, field.itemsize // size_bytes, size_bytes))
        return tf.bitcast(values, _TYPES[field.base.str])

    def dense_logits(self, rows):
        """The logits of all classes, as the losses take them.

        Args:
            rows: uint8 tensor `(batch, row_bytes)`.

        Returns:
            Float32 `(batch, num_classes)`. Classes that were not stored have equal
            logits, which at the temperature of the tail have its mass together.
        """
        logits = tf.cast(self.column(rows, "logits"), tf.float32)
        if not self.top_k:
            return tf.ensure_shape(logits, (None, self.num_classes))
        classes = tf.cast(self.column(rows, "classes"), tf.int32)
        others = self.num_classes - self.top_k
        each = self.column(rows, "tail") - self.temperature * math.log(others)
        dense = tf.tensor_scatter_nd_update(
            tf.repeat(each, self.num_classes, axis=1), _positions(classes), logits
        )
        return tf.ensure_shape(dense, (None, self.num_classes))


def _positions(classes):
    """`(batch, k, 2)`: where in a matrix the classes of each row stand."""
    rows = tf.range(tf.shape(classes)[0])[:, tf.newaxis]
    return tf.stack([tf.broadcast_to(rows, tf.shape(classes)), classes], axis=-1)

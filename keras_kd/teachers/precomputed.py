"""Outputs of a teacher that ran elsewhere, as an array."""

import hashlib
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_kd._checks import check_fraction, check_positive, invalid
from keras_kd.data import Examples
from keras_kd.outputs import ModelOutputs, logits_of
from keras_kd.teachers.attached import AttachedTeacher
from keras_kd.teachers.foreign import said_head

WHERE = "PrecomputedTeacher"


class PrecomputedTeacher(AttachedTeacher):
    """What another program computed, row by row: PyTorch, ONNX, a service, people.

    `distiller.fit(teacher.attach(x), y)` trains on it. Whatever makes data sets can put
    the rows beside the inputs itself: `keras_kd.data.Examples(x, soft_targets=rows)`.
    Data to evaluate on may come without: then the hard labels count alone. For a Keras
    teacher, `keras_kd.teachers.label` does all this, with augmentation and checks of
    every example.

    Args:
        outputs: array `(n, ..., num_classes)`, or the path of one in a `.npy` file,
            which is not read whole.
        from_logits: bool, whether these are logits; False for probabilities.
        ids: n distinct names or numbers, of the examples that the rows belong to; None
            if they are in the order of the data.
        multi_label: see `CallableTeacher`.
        resolution: see `CallableTeacher`.

    Raises:
        ValueError: An argument cannot be used; a row is not finite, or not what
            `from_logits` says.

    Example:
        >>> logits = np.array([[2.0, 0.0], [0.0, 1.0]])
        >>> teacher = PrecomputedTeacher(logits, from_logits=True, ids=["a", "b"])
        >>> examples = teacher.attach(np.ones((2, 4)), ids=["b", "a"])
        >>> examples.soft_targets.tolist()
        [[0.0, 1.0], [2.0, 0.0]]
    """

    def __init__(
        self, outputs, *, from_logits, ids=None, multi_label=False, resolution=None
    ):
        if isinstance(outputs, (str, Path)):
            outputs = np.load(outputs, mmap_mode="r")
        if not isinstance(outputs, np.ndarray):
            outputs = ops.convert_to_numpy(outputs)
        if outputs.ndim < 2 or not len(outputs) or outputs.dtype.kind not in "fiu":
            raise invalid(
                WHERE,
                "`outputs` of numbers, (n, ..., num_classes)",
                f"{outputs.dtype} of shape {outputs.shape}",
                "Give a row of class scores for each example.",
            )
        if resolution is not None:
            check_fraction(WHERE, "resolution", resolution)
            check_positive(WHERE, "resolution", resolution)
        self.outputs = outputs
        self._resolution = resolution
        self._head = said_head(WHERE, from_logits, multi_label, self.num_classes)
        self._check_rows()
        self._rows = None if ids is None else self._by_id(ids)

    @property
    def num_classes(self):
        """See `Teacher`."""
        return self.outputs.shape[-1]

    @property
    def head(self):
        """See `Teacher`."""
        return self._head

    @property
    def fingerprint(self):
        """SHA-256 over the outputs and what was said of them, hexadecimal."""
        said = (self._head.activation, self._resolution, self.outputs.shape)
        digest = hashlib.sha256(repr(said).encode())
        for row in self.outputs:
            digest.update(np.ascontiguousarray(row).tobytes())
        return digest.hexdigest()

    def attach(self, x, *, ids=None):
        """The inputs with the teacher's outputs beside them, as `fit` takes them.

        Args:
            x: array `(n, ...)` or a structure of them.
            ids: n of the ids that the teacher was given, to join by; None to join by
                order.

        Returns:
            `keras_kd.data.Examples`.

        Raises:
            ValueError: There are more or fewer inputs than rows, or ids without one.
        """
        if (ids is None) != (self._rows is None):
            raise invalid(
                f"{WHERE}.attach",
                "`ids` for inputs and for outputs, or for neither",
                "them for the outputs only" if ids is None else "them for inputs only",
                "Give both, or none to join by order.",
            )
        rows = range(len(self.outputs)) if ids is None else self._rows_of(ids)
        lengths = {len(leaf) for leaf in keras.tree.flatten(x)}
        if lengths != {len(rows)}:
            raise invalid(
                f"{WHERE}.attach",
                f"an input for each of the {len(rows)} rows",
                f"{', '.join(map(str, sorted(lengths)))} inputs",
                "Leave out what the teacher was not asked, or join by ids.",
            )
        targets = self.outputs if ids is None else self.outputs[rows]
        return Examples(x, soft_targets=targets)

    def _answered(self, targets):
        logits = logits_of(targets, self._head, resolution=self._resolution)
        return ModelOutputs(ops.stop_gradient(logits))

    def output_shapes(self, inputs, *, layers=()):
        """See `Teacher`."""
        self.check_layers(layers)
        return ModelOutputs((None, *self.outputs.shape[1:]))

    def _check_rows(self):
        """Raises for the first row that cannot be what was said."""
        for start in range(0, len(self.outputs), 4096):
            rows = np.asarray(self.outputs[start : start + 4096], "float32")
            rows = rows.reshape(len(rows), -1, self.num_classes)
            bad = ~np.isfinite(rows).all((1, 2))
            expected, got = "finite outputs", "NaN or inf"
            if not bad.any() and self._head.gives_probabilities:
                bad = (rows < 0).any((1, 2)) | (rows > 1).any((1, 2))
                expected = "probabilities, because of from_logits=False"
                got = "values outside [0, 1]"
                if not bad.any() and self._head.activation == "softmax":
                    sums = rows.sum(-1, dtype="float64")
                    bad = (np.abs(sums - 1) > 0.01).any(1)
                    got = f"a sum of {sums[bad][0][0]:.3g}" if bad.any() else ""
            if bad.any():
                raise invalid(
                    WHERE,
                    expected,
                    f"{got} in row {start + int(np.argmax(bad))}",
                    "Pass from_logits=True if these are logits, multi_label=True if "
                    "each class is a label by itself.",
                )

    def _by_id(self, ids):
        rows = {key: row for row, key in enumerate(_plain(ids))}
        if len(rows) != len(self.outputs) or len(ids) != len(self.outputs):
            raise invalid(
                WHERE,
                f"`ids` that differ, one for each of {len(self.outputs)} rows",
                f"{len(ids)}, of which {len(rows)} differ",
                "Number the examples.",
            )
        return rows

    def _rows_of(self, ids):
        try:
            return [self._rows[key] for key in _plain(ids)]
        except KeyError as error:
            raise invalid(
                f"{WHERE}.attach",
                "ids that the teacher has outputs for",
                repr(error.args[0]),
                "Leave out what the teacher was not asked.",
            ) from error


def _plain(ids):
    """Ids as Python's own values, which are equal whatever array they come from."""
    return ids.tolist() if hasattr(ids, "tolist") else list(ids)

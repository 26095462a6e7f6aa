"""Teachers that are not Keras models: what they share, and any function as one."""

import abc

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_kd._checks import check_fraction, check_positive, invalid, is_number
from keras_kd.outputs import Head, ModelOutputs, as_tensors, logits_of
from keras_kd.teachers.base import (
    Teacher,
    check_input_shapes,
    fails_on,
    prepared,
)


class ForeignTeacher(Teacher):
    """A teacher that gives logits or probabilities, and nothing from inside.

    Args:
        from_logits: bool, whether it gives logits; nothing else can tell.
        multi_label: bool, whether its probabilities are of one label each (sigmoid).
        num_classes: int, or None if it does not say.
        input_shapes: see `check_input_shapes`.
        preprocessing: as for `FrozenTeacher`.
        fingerprint: str that tells this teacher from others.
        resolution: see `CallableTeacher`.
    """

    def __init__(
        self,
        *,
        from_logits,
        multi_label,
        num_classes,
        input_shapes,
        preprocessing,
        fingerprint,
        resolution=None,
    ):
        if resolution is not None:
            check_fraction(type(self).__name__, "resolution", resolution)
            check_positive(type(self).__name__, "resolution", resolution)
        self._resolution = resolution
        where = type(self).__name__
        self._head = said_head(where, from_logits, multi_label, num_classes)
        self._num_classes = num_classes
        self._input_shapes = input_shapes
        self._preprocessing = preprocessing
        self._fingerprint = fingerprint

    @property
    def head(self):
        """See `Teacher`."""
        return self._head

    @property
    def num_classes(self):
        """See `Teacher`."""
        return self._num_classes

    @property
    def fingerprint(self):
        """See `Teacher`."""
        said = f"{self._head.activation}{self._preprocessing is None}"
        if self._resolution is not None and self._head.gives_probabilities:
            said += f"{self._resolution:g}"
        return f"{self._fingerprint}-{said}"

    def __call__(self, inputs, *, layers=()):
        """See `Teacher`."""
        self.check_layers(layers)
        inputs = prepared(self._preprocessing, as_tensors(inputs))
        batch_size = keras.tree.flatten(inputs)[0].shape[0]
        predictions = ops.convert_to_tensor(self._predict(inputs))
        shape = predictions.shape
        if shape.rank is None or (shape.rank and shape[-1] is None):
            # Only the running program will know: it then checks.
            known = (batch_size,) if shape.rank is None else shape[:-1]
            predictions = tf.ensure_shape(predictions, (*known, self._num_classes))
        self._check_shape(tuple(predictions.shape), batch_size)
        logits = logits_of(predictions, self._head, resolution=self._resolution)
        return ModelOutputs(ops.stop_gradient(logits))

    def needs_more_than(self, inputs):
        """See `Teacher`."""
        return fails_on(self._preprocessing, inputs)

    @abc.abstractmethod
    def _predict(self, inputs):
        """What the teacher itself gives for its inputs, `(batch, num_classes)`."""

    def check_layers(self, paths):
        """See `Teacher`: it has none that could be named."""
        if paths:
            raise invalid(
                type(self).__name__,
                "losses on logits alone",
                f"one on the teacher's layers {', '.join(map(repr, paths))}",
                "Only Keras models show their layers: choose a loss on logits.",
            )

    def check(self, where, student):
        """See `Teacher`."""
        if self._preprocessing is None:
            check_input_shapes(where, self._input_shapes, student)

    def _check_shape(self, shape, batch_size):
        is_open = None in (shape[0], batch_size) if shape else False
        fits_batch = is_open or shape[:1] == (batch_size,)
        fits_classes = self._num_classes in (None, *shape[-1:])
        if len(shape) < 2 or not fits_batch or not fits_classes:
            raise invalid(
                type(self).__name__,
                f"a row of {self._num_classes or 'all'} classes for each of "
                f"{batch_size or 'the'} examples",
                f"an answer of shape {shape}",
                "Let it give `(batch, num_classes)`, and say `num_classes` rightly.",
            )

    def _through_numpy(self, function, inputs):
        """`function`, of arrays, on tensors; in a graph it is called at run time."""
        leaves = keras.tree.flatten(inputs)

        def run(*arrays):
            # Copies: others have the memory too, of the student's own batch here.
            packed = keras.tree.pack_sequence_as(inputs, list(map(np.array, arrays)))
            answer = np.asarray(function(packed), "float32")
            self._check_shape(answer.shape, len(arrays[0]))
            return answer

        if tf.executing_eagerly():
            return run(*map(ops.convert_to_numpy, leaves))
        answer = tf.numpy_function(run, leaves, tf.float32)
        answer.set_shape((leaves[0].shape[0], self._num_classes))
        return answer


class CallableTeacher(ForeignTeacher):
    """Any function from a batch of inputs to class scores.

    A model of another library, a remote service, a formula: what `function` does is
    its own affair.

    Args:
        function: takes a batch as the student does (or `preprocessing` gives), returns
            `(batch, num_classes)`. Its operations are TensorFlow's or `keras.ops`'.
        from_logits: bool, whether it gives logits, before softmax or sigmoid; False for
            probabilities.
        num_classes: int > 0.
        fingerprint: str, other for another function: its name and version, say. With
            it a distiller that was loaded, or stored soft targets, know their teacher.
        multi_label: bool, whether probabilities are of one label each (sigmoid) and not
            of one choice (softmax). One class alone is always a sigmoid.
        numpy: bool, whether it takes and gives NumPy arrays. It is then called from
            inside the compiled step, which XLA cannot compile.
        preprocessing: as for `FrozenTeacher`, on tensors in either case.
        resolution: float > 0, the step to which its probabilities are rounded, such as
            0.01 for two decimals: one of 0 counts as half a step, not as impossible.
            Default None: that of their dtype.

    Raises:
        ValueError: An argument cannot be used; later, if the answer has another shape.

    Example:
        >>> def brightness(images):
        ...     light = np.mean(images, axis=(1, 2, 3))
        ...     return np.stack([light, 1 - light], axis=-1)
        >>> teacher = CallableTeacher(
        ...     brightness,
        ...     from_logits=False,
        ...     num_classes=2,
        ...     fingerprint="brightness-1",
        ...     numpy=True,
        ... )
        >>> logits = teacher(np.full((1, 8, 8, 1), 0.25, "float32")).logits
        >>> ops.convert_to_numpy(ops.softmax(logits)).round(2).tolist()
        [[0.25, 0.75]]
    """

    def __init__(
        self,
        function,
        *,
        from_logits,
        num_classes,
        fingerprint,
        multi_label=False,
        numpy=False,
        preprocessing=None,
        resolution=None,
    ):
        _check_callable(function, num_classes, fingerprint)
        super().__init__(
            from_logits=from_logits,
            multi_label=multi_label,
            num_classes=int(num_classes),
            input_shapes=None,
            preprocessing=preprocessing,
            fingerprint=fingerprint,
            resolution=resolution,
        )
        self._function = function
        self._numpy = bool(numpy)

    @property
    def compilable(self):
        """See `Teacher`."""
        return not self._numpy

    def _predict(self, inputs):
        if self._numpy:
            return self._through_numpy(self._function, inputs)
        try:
            return self._function(inputs)
        except (NotImplementedError, AttributeError) as error:
            if tf.executing_eagerly():
                raise
            # Such is what tensors of a graph say where NumPy wants their values.
            raise invalid(
                "CallableTeacher",
                "a function of TensorFlow tensors",
                f"one that fails on them ({error})",
                "Pass numpy=True if it takes and gives NumPy arrays.",
            ) from error


def said_head(where, from_logits, multi_label, num_classes):
    """The `Head` of outputs that do not tell how they were made; see `CallableTeacher`.

    Args:
        where: str, see `invalid`.
        from_logits: bool.
        multi_label: bool.
        num_classes: int or None.

    Raises:
        ValueError: They contradict each other.
    """
    if not isinstance(from_logits, bool):
        raise invalid(
            where,
            "`from_logits` to be True for logits or False for probabilities",
            repr(from_logits),
            "Look whether the model ends in a softmax or sigmoid: then it is False.",
        )
    if from_logits and multi_label:
        raise invalid(
            where,
            "`multi_label` for probabilities only",
            "multi_label=True and from_logits=True",
            "Leave it out: the loss decides how logits are read.",
        )
    if from_logits:
        return Head("linear")
    return Head("sigmoid" if multi_label or num_classes == 1 else "softmax")


def _check_callable(function, num_classes, fingerprint):
    where = "CallableTeacher"
    if not callable(function):
        raise invalid(
            where, "a function", repr(function), "Pass what is called on a batch."
        )
    whole = is_number(num_classes) and num_classes == int(num_classes)
    if not whole or num_classes < 1:
        raise invalid(
            where,
            "`num_classes` to be an integer above 0",
            repr(num_classes),
            "Say how many scores each example gets.",
        )
    if not isinstance(fingerprint, str) or not fingerprint:
        raise invalid(
            where,
            "`fingerprint` to be a text",
            repr(fingerprint),
            'Give its name and version, such as "resnet50-onnx-v2".',
        )

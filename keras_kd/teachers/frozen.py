"""One trained Keras model as a teacher."""

import hashlib
import json

import keras
import numpy as np

from keras_kd._checks import invalid
from keras_kd.outputs import (
    check_weights,
    find_head,
    find_layer,
    forward,
    layer_shapes,
)
from keras_kd.teachers.base import Teacher


class FrozenTeacher(Teacher):
    """A trained model that answers in inference mode and is never changed.

    `Distiller(model, student)` makes one; make it yourself to say more.

    Args:
        model: a built Keras model with one output.
        preprocessing: function from a batch of the student's inputs to the model's, in
            `keras.ops` or TensorFlow; for a teacher with another image size, say.
        from_logits: whether the model's outputs are logits; None to recognise it.

    Attributes:
        model: the Keras model, as it was given.

    Raises:
        ValueError: The model is not a built Keras model with one output.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> teacher = FrozenTeacher(model)
        >>> tuple(teacher(np.ones((2, 4))).logits.shape)
        (2, 3)
    """

    def __init__(self, model, *, preprocessing=None, from_logits=None):
        if not isinstance(model, keras.Model):
            raise invalid(
                "FrozenTeacher",
                "a keras.Model",
                type(model).__name__,
                "Load one from its file: keras.models.load_model(path). Several models "
                "must first be made one, such as keras.layers.Average of their logits.",
            )
        if not model.built:
            raise invalid(
                "FrozenTeacher",
                "a trained model",
                f'model "{model.name}" that has no weights yet',
                "Call it on a batch once and load its weights, or train it.",
            )
        self.model = model
        self._preprocessing = preprocessing
        self._head = find_head(model, from_logits=from_logits)

    @property
    def head(self):
        """See `Teacher`."""
        return self._head

    def __call__(self, inputs, *, layers=()):
        """See `Teacher`."""
        if self._preprocessing is not None:
            inputs = self._preprocessing(inputs)
        _, outputs = forward(self.model, inputs, head=self._head, layers=layers)
        return keras.tree.map_structure(keras.ops.stop_gradient, outputs)

    @property
    def fingerprint(self):
        """SHA-256 over architecture and weights, hexadecimal; names do not count."""
        digest = hashlib.sha256(_architecture(self.model).encode())
        digest.update(f"{self._head.activation}{self._preprocessing is None}".encode())
        for weight in self.model.weights:
            value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
            digest.update(f"{value.shape}{value.dtype}".encode())
            digest.update(value.tobytes())
        return digest.hexdigest()

    def check_layers(self, paths):
        """See `Teacher`."""
        for path in paths:
            find_layer(self.model, path)

    def layer_shapes(self, inputs):
        """See `Teacher`."""
        return layer_shapes(self.model, inputs, preprocessing=self._preprocessing)

    def check(self, where, student):
        """See `Teacher.check`: another model, the same input, finite weights."""
        check_weights(where, self.model, "teacher")
        theirs = {id(weight) for weight in self.model.weights}
        if self.model is student or theirs & {id(weight) for weight in student.weights}:
            raise invalid(
                where,
                "two models without common weights",
                f'a student "{student.name}" that shares layers with its teacher',
                "Copy them: keras.models.clone_model(student), then set_weights.",
            )
        theirs, ours = _input_shapes(self.model), _input_shapes(student)
        if self._preprocessing is None and not _fit(theirs, ours):
            raise invalid(
                where,
                f"the teacher to take the student's input {ours}",
                f"a teacher built for {theirs}",
                "Pass `teacher_preprocessing`, a function from the student's batch to "
                "the teacher's, such as keras.layers.Resizing(height, width).",
            )


def _architecture(model):
    """The layers and their settings as text, with numbers in the place of names."""
    layers = model._flatten_layers()
    try:
        text = json.dumps(_unshared(model.get_config()), default=str)
    except NotImplementedError:
        return ",".join(type(layer).__name__ for layer in layers)
    for number, layer in enumerate(layers):
        text = text.replace(f'"{layer.name}"', f'"{number}"')
    return text


def _unshared(config):
    """A config without the numbers that Keras adds while it saves."""
    if isinstance(config, dict):
        keys = sorted(config.keys() - {"shared_object_id"}, key=str)
        return {key: _unshared(config[key]) for key in keys}
    if isinstance(config, (list, tuple)):
        return [_unshared(value) for value in config]
    return config


def _input_shapes(model):
    inputs = getattr(model, "inputs", None)
    return [tuple(tensor.shape) for tensor in inputs] if inputs else None


def _fit(theirs, ours):
    """Whether two lists of shapes can be the same; unknown ones can."""
    if theirs is None or ours is None:
        return True
    return len(theirs) == len(ours) and all(
        len(a) == len(b)
        and all(x == y or x is None or y is None for x, y in zip(a, b, strict=True))
        for a, b in zip(theirs, ours, strict=True)
    )

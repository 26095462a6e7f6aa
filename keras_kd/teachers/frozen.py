"""One trained Keras model as a teacher."""

import hashlib
import json

import keras
import numpy as np

from keras_kd._checks import invalid
from keras_kd._keras_internals import all_layers
from keras_kd.outputs import (
    Head,
    ModelOutputs,
    check_logits,
    check_weights,
    find_heads,
    find_layer,
    forward,
    input_structure,
    layer_shapes,
    share_what_trains,
    takes,
)
from keras_kd.teachers.base import (
    Teacher,
    check_input_shapes,
    fails_on,
    input_shapes,
    prepared,
)

_HOLDING_NAMES = ("name", "keras_history", "input_layers", "output_layers")


class FrozenTeacher(Teacher):
    """A trained model that answers in inference mode and is never changed.

    `Distiller(model, student)` makes one; make it yourself to say more.

    Args:
        model: a built Keras model; with several outputs for a `Distiller` only.
        preprocessing: function from a batch of the student's inputs to the model's, in
            `keras.ops` or TensorFlow; for a teacher with another image size, say.
        from_logits: whether the model's outputs are logits; None to recognise it.

    Attributes:
        model: the Keras model, as it was given.

    Raises:
        ValueError: The model is not a built Keras model.

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
                _kind(model),
                "Write it with model.export(folder), and take "
                "keras_kd.teachers.SavedModelTeacher(folder, from_logits=...)."
                if _is_of_keras_2(model)
                else "Load one from its file: keras_kd.teachers.load_model(path). "
                "Several make an Ensemble; for other kinds of models there are "
                "SavedModelTeacher, LiteRtTeacher and CallableTeacher in "
                "keras_kd.teachers.",
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
        self._head = find_heads(model, from_logits=from_logits)

    @property
    def head(self):
        """See `Teacher`."""
        return self._head

    @property
    def num_classes(self):
        """See `Teacher`; None for a model that does not say what it gives."""
        # Without `outputs` Keras may raise, or run the model, to know the shape.
        known = getattr(self.model, "outputs", None)
        is_one = known and isinstance(self._head, Head)
        return self.model.output_shape[-1] if is_one else None

    def __call__(self, inputs, *, layers=()):
        """See `Teacher`."""
        inputs = prepared(self._preprocessing, inputs)
        _, outputs = forward(self.model, inputs, head=self._head, layers=layers)
        # What counts is for the student's mask to say.
        constants = outputs.logits, outputs.features
        constants = keras.tree.map_structure(keras.ops.stop_gradient, constants)
        return ModelOutputs(*constants)

    @property
    def fingerprint(self):
        """SHA-256 over architecture and weights, hexadecimal; names do not count."""
        digest = hashlib.sha256(architecture(self.model).encode())
        heads = "".join(head.activation for head in keras.tree.flatten(self._head))
        digest.update(f"{heads}{self._preprocessing is None}".encode())
        for weight in self.model.weights:
            value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
            digest.update(f"{value.shape}{value.dtype}".encode())
            digest.update(value.tobytes())
        return digest.hexdigest()

    def check_layers(self, paths):
        """See `Teacher`."""
        for path in paths:
            find_layer(self.model, path)

    def needs_more_than(self, inputs):
        """See `Teacher`: for its preprocessing, or by the names of its inputs."""
        if self._preprocessing is not None:
            return fails_on(self._preprocessing, inputs)
        return bool(_more_names(self.model, inputs))

    def layer_shapes(self, inputs):
        """See `Teacher`."""
        return layer_shapes(self.model, inputs, preprocessing=self._preprocessing)

    def check_answer(self, where, examples):
        """See `Teacher`."""
        inputs = examples.inputs
        if self._preprocessing is not None:
            inputs = self._preprocessing(inputs)
        check_logits(
            where,
            self.answer(examples).logits,
            self._head,
            "teacher",
            model=self.model,
            inputs=inputs,
        )

    def check(self, where, student):
        """See `Teacher.check`: another model, the same input, finite weights."""
        check_weights(where, self.model, "teacher")
        if share_what_trains(self.model, student):
            raise invalid(
                where,
                "two models without common weights that training changes",
                f'a student "{student.name}" that shares layers with its teacher',
                "Copy them: keras.models.clone_model(student), then set_weights.",
            )
        inputs = input_structure(student)
        if self._preprocessing is not None or _more_names(self.model, inputs):
            return
        if inputs is None or not takes(self.model, inputs):
            check_input_shapes(where, input_shapes(self.model), student)


def _is_of_keras_2(model):
    """Whether it is a model of the package tf_keras."""
    return any(
        kind.__module__.split(".")[0] == "tf_keras" for kind in type(model).mro()
    )


def _kind(model):
    name = type(model).__name__
    return f"a {name} of tf_keras (Keras 2)" if _is_of_keras_2(model) else name


def _more_names(model, inputs):
    """The inputs that a model has by name beside all of `inputs`, a dict."""
    own = input_structure(model)
    if not isinstance(own, dict) or not isinstance(inputs, dict):
        return set()
    return own.keys() - inputs.keys() if own.keys() > inputs.keys() else set()


def architecture(model):
    """The layers and their settings as text, with numbers in the place of names.

    Args:
        model: a built Keras model of any kind.

    Returns:
        A str, equal for models that are made alike; for a subclassed model that does
        not tell its settings, the classes of its layers only.
    """
    layers = all_layers(model)
    try:
        config = model.get_config()
    except NotImplementedError:
        return ",".join(type(layer).__name__ for layer in layers)
    numbers = {layer.name: number for number, layer in enumerate(layers)}
    return json.dumps(_numbered(config, numbers), default=str)


def _numbered(config, numbers, *, is_name=False):
    """A config without the names of layers and what Keras adds while it saves."""
    if isinstance(config, dict):
        keys = sorted(config.keys() - {"shared_object_id"}, key=str)
        # Only there: elsewhere a layer "activation" would hide an option of that name.
        return {
            key: _numbered(config[key], numbers, is_name=key in _HOLDING_NAMES)
            for key in keys
        }
    if isinstance(config, (list, tuple)):
        return [_numbered(value, numbers, is_name=is_name) for value in config]
    is_name = is_name and isinstance(config, str)
    return numbers.get(config, config) if is_name else config

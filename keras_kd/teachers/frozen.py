"""One trained Keras model as a teacher."""

import hashlib
import json

import keras
import numpy as np

from keras_kd._checks import InvalidInputError, invalid
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
        classes: which of the model's classes the student learns, in the student's
            order: a list of their numbers, or of lists of numbers, whose probabilities
            are added. The rest is left out, and probabilities sum to 1 again. Default
            None: all of them. For models of one output whose classes exclude each other
            (a softmax), or of single labels.

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

    def __init__(self, model, *, preprocessing=None, from_logits=None, classes=None):
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
        self._classes = None
        if classes is not None:
            self._classes = _groups(classes, self._head, _units(model))

    @property
    def head(self):
        """See `Teacher`."""
        return self._head

    @property
    def num_classes(self):
        """See `Teacher`; None for a model that does not say what it gives."""
        if self._classes is not None:
            return len(self._classes)
        return _units(self.model) if isinstance(self._head, Head) else None

    def __call__(self, inputs, *, layers=()):
        """See `Teacher`."""
        outputs = self._of_all_classes(inputs, layers)
        if self._classes is None:
            return outputs
        return outputs._replace(logits=_of_groups(outputs.logits, self._classes))

    def _of_all_classes(self, inputs, layers=()):
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
        said = "" if self._classes is None else repr(self._classes)
        digest.update(f"{heads}{self._preprocessing is None}{said}".encode())
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
            self._of_all_classes(examples.inputs).logits,
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
        try:
            check_input_shapes(where, input_shapes(self.model), student)
        except InvalidInputError:
            if inputs is None or not takes(self.model, inputs):
                raise


def _units(model):
    """The size of the last axis of a model's outputs; None if it does not say."""
    # Without `outputs` Keras may raise, or run the model, to know the shape.
    known = getattr(model, "outputs", None)
    return known[0].shape[-1] if known else None


def _groups(classes, head, num_classes):
    """A list of lists of the model's classes, one for each of the student's."""
    groups = [
        list(one) if isinstance(one, (list, tuple, range, np.ndarray)) else [one]
        for one in classes
    ]
    flat = [number for group in groups for number in group]
    if (
        not isinstance(head, Head)
        or not all(groups)
        or not all(isinstance(number, (int, np.integer)) for number in flat)
        or len(set(flat)) != len(flat)
        or min(flat, default=-1) < 0
        or (num_classes is not None and max(flat) >= num_classes)
    ):
        raise invalid(
            "FrozenTeacher",
            "`classes` as numbers of the model's classes, "
            + ("0 and more" if num_classes is None else f"0 to {num_classes - 1}")
            + ", each once, of one output",
            repr(classes),
            "Give the student's classes in order: [3, 17], or [[3, 4], [17]] to add "
            "some.",
        )
    if head.activation == "sigmoid" and len(flat) > len(groups):
        raise invalid(
            "FrozenTeacher",
            "single `classes` for labels that do not exclude each other",
            repr(classes),
            "Their probabilities have no sum: choose one of each group.",
        )
    return [[int(number) for number in group] for group in groups]


def _of_groups(logits, groups):
    """Logits whose softmax is that of the groups, each the sum of its classes."""
    if all(len(group) == 1 for group in groups):
        return keras.ops.take(logits, [number for [number] in groups], axis=-1)
    parts = [
        keras.ops.logsumexp(keras.ops.take(logits, group, axis=-1), axis=-1)
        for group in groups
    ]
    return keras.ops.stack(parts, axis=-1)


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

"""A quantisation-aware copy of a model."""

import keras
from keras import layers

from keras_kd._checks import invalid
from keras_kd._keras_internals import run_with
from keras_kd.export.quantization import operations, table
from keras_kd.export.quantization.graph import as_functional, is_functional
from keras_kd.export.quantization.passing import keeps_range
from keras_kd.export.quantization.ranges import ActivationRange
from keras_kd.export.quantization.sites import Sites

WHERE = "keras_kd.export.quantization_aware"


class Rewriting:
    """Makes the quantised layers of a model and of the models inside it.

    Args:
        weights_bits: int, 4 or 8.

    Attributes:
        in_float: list of str, paths of the layers that were left as they were.
    """

    def __init__(self, weights_bits):
        self.in_float = []
        self._weights_bits = weights_bits
        self._made = {}  # id(operation) -> (what takes its place, the model it is in)
        self._weights = []  # (new layer, dict of attribute to array)
        self._copies = []  # (new layer, the layer it is a copy of)

    def rewrite(self, model):
        """The quantisation-aware copy of a whole model, with its weights.

        Args:
            model: a built Functional or Sequential model.

        Returns:
            A Functional `keras.Model`.
        """
        new = self._model(model, prefix="", is_whole=True, gives_output=True)
        for layer, weights in self._weights:
            for name, value in weights.items():
                getattr(layer, name).assign(value)
        for layer, original in self._copies:
            layer.set_weights(original.get_weights())
        return new

    def _model(self, model, *, prefix, is_whole, gives_output):
        functional = as_functional(model)
        sites = Sites(functional, gives_output=gives_output)
        structure = model.input if functional is model else functional.inputs[0]
        inputs = keras.tree.map_structure(_new_input, structure)
        # Inputs of models inside others have passed a range already.
        passed = keras.tree.map_structure(_ranged, inputs) if is_whole else inputs
        outputs = run_with(
            functional, passed, lambda one: self._replacement(one, sites, prefix)
        )
        return keras.Model(inputs, outputs, name=model.name)

    def _replacement(self, operation, sites, prefix):
        """What to call in the place of a layer or operation."""
        made, owner = self._made.get(id(operation), (None, sites))
        if owner is not sites:
            raise invalid(
                WHERE,
                "every layer in one model",
                f'"{operation.name}" in two of the models inside the student',
                "Build the student without sharing layers between its parts.",
            )
        if made is None:
            made = self._make(operation, sites, prefix)
            self._made[id(operation)] = made, sites
        return made

    def _make(self, operation, sites, prefix):
        if is_functional(operation):
            new = self._model(
                operation,
                prefix=f"{prefix}{operation.name}/",
                is_whole=False,
                gives_output=sites.ends(operation),
            )
            return _in_any_mode(new)
        if sites.is_folded(operation):
            return _in_any_mode(layers.Identity(name=operation.name, dtype="float32"))
        if not isinstance(operation, layers.Layer):
            return self._make_of_operation(operation, sites, prefix)
        site = sites.of(operation)
        is_integer = table.is_integer(operation, site.shapes)
        if not is_integer or sites.graph.is_masked(operation):
            return self._left_in_float(operation, prefix)
        new, weights = table.quantized(operation, site, self._weights_bits)
        self._weights.append((new, weights))
        if keeps_range(operation):
            self._copies.append((new, operation))
            return new
        return _in_any_mode(new)

    def _make_of_operation(self, operation, sites, prefix):
        if keeps_range(operation):
            return operation
        (node,) = sites.graph.runs(operation)
        quantise_output = sites.of(operation).quantise_output
        made = operations.quantized_operation(node, quantise_output)
        if made is None:
            return self._left_in_float(operation, prefix)
        new, weights = made
        self._weights.append((new, weights))
        return lambda *args, **_: new(_tensors(args))

    def _left_in_float(self, operation, prefix):
        """The layer itself, and ranges behind it for the integer layers that follow."""
        self.in_float.append(f"{prefix}{operation.name}")
        new = operation
        if isinstance(operation, layers.Layer):
            new = table.copied(operation)
            self._copies.append((new, operation))
        after = ActivationRange(name=f"{operation.name}_range")

        def ranged(tensor):
            return after(tensor) if "float" in tensor.dtype else tensor

        return lambda *args, **options: keras.tree.map_structure(
            ranged, new(*args, **options)
        )


def _new_input(tensor):
    return keras.Input(batch_shape=tensor.shape, dtype="float32", name=tensor.name)


def _ranged(tensor):
    return ActivationRange(name=f"{tensor.name}_range")(tensor)


def _in_any_mode(layer):
    """The layer, which learns ranges where the one before it was kept from learning."""
    return lambda *args, **_: layer(*args)


def _tensors(args):
    tensors = [one for one in args if isinstance(one, keras.KerasTensor)]
    return tensors if len(tensors) > 1 else tensors[0]

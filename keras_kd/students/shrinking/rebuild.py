"""The smaller model, layer by layer."""

import keras

from keras_kd.students.shrinking.channels import Channels
from keras_kd.students.shrinking.graph import is_model, producer_name
from keras_kd.students.shrinking.scaling import cannot_scale


class Rebuild:
    """Makes the student of an analysed teacher.

    Attributes:
        layers: list of `(layer, its smaller copy)`, each once.

    Args:
        analysis: `Analysis`.
        kept: `Kept`.
    """

    def __init__(self, analysis, kept):
        self.layers = []
        self._analysis = analysis
        self._kept = kept
        self._copies = {}

    def model(self, teacher, name):
        """The student, with new inputs of the teacher's shapes."""
        return self._model(teacher, [t.shape for t in teacher.inputs], name)

    def _model(self, model, shapes, name):
        inputs = [
            keras.Input(
                batch_shape=shape, dtype=tensor.dtype, name=producer_name(tensor)
            )
            for tensor, shape in zip(model.inputs, shapes, strict=True)
        ]
        if isinstance(model, keras.Sequential):
            return self._sequential(model, inputs, name)
        outputs = self._analysis.graph(model).run(inputs, self._visit)
        return keras.Model(
            keras.tree.pack_sequence_as(model.input, inputs),
            keras.tree.pack_sequence_as(model.output, outputs),
            name=name,
        )

    def _sequential(self, model, inputs, name):
        small = keras.Sequential(inputs, name=name)
        for node in self._analysis.graph(model).nodes:
            layer = self._layer_on(
                node.operation, small.outputs if small.layers else inputs
            )
            try:
                small.add(layer)
            except (ValueError, TypeError) as error:
                raise cannot_scale(
                    node.operation, f"its copy fails: {error}"
                ) from error
            self._check_shapes(node, small.outputs)
        return small

    def _visit(self, node, args, kwargs):
        given = [
            value
            for value in keras.tree.flatten((args, kwargs))
            if isinstance(value, keras.KerasTensor)
        ]
        operation = self._layer_on(node.operation, given)
        try:
            outputs = keras.tree.flatten(operation(*args, **kwargs))
        except (ValueError, TypeError) as error:
            raise cannot_scale(node.operation, f"its copy fails: {error}") from error
        self._check_shapes(node, outputs)
        return outputs

    def _layer_on(self, operation, inputs):
        if id(operation) not in self._copies:
            if is_model(operation):
                shapes = [tensor.shape for tensor in inputs]
                copy = self._model(operation, shapes, operation.name)
            else:
                copy = self._copy(operation)
                self.layers.append((operation, copy))
            self._copies[id(operation)] = copy
        return self._copies[id(operation)]

    def _copy(self, operation):
        scaling = self._analysis.scalings[id(operation)]
        try:
            config = _merged(operation.get_config(), scaling.config, self._kept)
            return type(operation).from_config(_fresh(config))
        except (NotImplementedError, TypeError, ValueError) as error:
            raise cannot_scale(
                operation, f"it cannot be made from its config: {error}"
            ) from error

    def _check_shapes(self, node, outputs):
        if is_model(node.operation):
            return
        followed = self._analysis.calls[node].scaling.outputs
        for before, axes, after in zip(node.outputs, followed, outputs, strict=True):
            expected = tuple(
                size if channels is None else self._kept.count(channels)
                for size, channels in zip(before.shape, axes, strict=True)
            )
            if tuple(after.shape) != expected:
                raise cannot_scale(
                    node.operation, f"it gives {after.shape}, not {expected}"
                )


def _merged(config, changes, kept):
    """The config with sizes in place of channels."""
    if isinstance(changes, Channels):
        return kept.count(changes)
    if isinstance(changes, dict):
        return {
            **config,
            **{
                name: _merged(config.get(name), change, kept)
                for name, change in changes.items()
            },
        }
    if isinstance(changes, (tuple, list)):
        return type(changes)(_merged(None, change, kept) for change in changes)
    return changes


def _fresh(config):
    """The config of a layer that is not frozen, and of layers in it not built."""
    if not isinstance(config, dict):
        return config
    fresh = {
        name: _fresh(value) for name, value in config.items() if name != "build_config"
    }
    return fresh | {"trainable": True} if "trainable" in fresh else fresh

"""Shapes of a model's outputs and layers."""

import keras

from keras_kd._checks import InvalidInputError
from keras_kd.outputs.forward import ModelOutputs
from keras_kd.outputs.layers import layer_paths
from keras_kd.outputs.recording import record
from keras_kd.outputs.tensors import as_tensors, inputs_of


def output_shapes(function, inputs):
    """The shapes of what `function` gives for a batch.

    Args:
        function: takes a structure of tensors, returns `ModelOutputs`.
        inputs: structure of `keras.KerasTensor`, with which nothing is computed; or a
            real batch.

    Returns:
        A `ModelOutputs` of shapes (tuples; None where a size is not fixed, and for the
        size of a real batch).

    Example:
        >>> pooled = lambda x: ModelOutputs(keras.ops.mean(x, axis=1))
        >>> output_shapes(pooled, keras.KerasTensor((None, 7, 3))).logits
        (None, 3)
    """
    specs = _specs(function, inputs)
    logits = keras.tree.map_structure(lambda spec: tuple(spec.shape), specs.logits)
    return ModelOutputs(logits, _shapes(specs.features))


def layer_shapes(model, inputs, *, preprocessing=None):
    """The output shape of each layer whose output can be named, in the order they run.

    Layers of nested models have the sizes that they have inside the outer one, where
    their own may be left open.

    Args:
        model: a Keras model of any kind.
        inputs: structure of `keras.KerasTensor`, with which nothing is computed; or a
            real batch.
        preprocessing: None, or a function from `inputs` to what the model takes.

    Returns:
        A dict of layer path to shape, as in `output_shapes`. Left out are layers that
        do not run exactly once, that give several tensors, or that hand on what they
        are given, as Dropout does in inference mode.

    Example:
        >>> conv = keras.layers.Conv2D(2, 3, name="conv")
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), conv])
        >>> layer_shapes(model, keras.KerasTensor((None, 6, 6, 1)))
        {'conv': (None, 4, 4, 2)}
    """

    def run(inputs):
        if preprocessing is not None:
            inputs = preprocessing(as_tensors(inputs))
        inputs = inputs_of(model, inputs)
        if not model.built:
            # Keras builds such a model by running it, which is not to be recorded.
            model(inputs, training=False)
        layers = layer_paths(model)
        with record([(layer, "call") for layer in layers.values()]) as calls:
            model(inputs, training=False)
        paths = {id(layer): path for path, layer in layers.items()}
        return {
            paths[key]: keras.tree.flatten(runs[0].result)[0]
            for (key, _), runs in calls.items()
            if _gives_one_output(runs)
        }

    return _shapes(_specs(run, inputs))


class _Function(keras.layers.Layer):
    """Lends a plain function Keras's symbolic evaluation."""

    def __init__(self, function):
        super().__init__(autocast=False)
        self._function = function
        self.error = None

    def call(self, inputs):
        try:
            return self._function(inputs)
        except InvalidInputError as error:
            self.error = error
            raise


def _specs(function, inputs):
    leaves = keras.tree.flatten(inputs)
    if any(isinstance(leaf, keras.KerasTensor) for leaf in leaves):
        lent = _Function(function)
        try:
            return lent.compute_output_spec(inputs)
        except Exception:
            # Keras hides our message in one about shapes that it cannot infer.
            if lent.error is not None:
                raise lent.error from None
            raise
    return keras.tree.map_structure(
        lambda tensor: keras.KerasTensor((None, *tensor.shape[1:]), tensor.dtype),
        function(inputs),
    )


def _shapes(specs):
    return {path: tuple(spec.shape) for path, spec in specs.items()}


def _gives_one_output(runs):
    results = keras.tree.flatten([run.result for run in runs])
    is_one = len(runs) == len(results) == 1 and keras.ops.is_tensor(results[0])
    return is_one and results[0] is not runs[0].argument

"""Which rule a layer has, and how users add theirs."""

import inspect
from dataclasses import replace

import keras
from keras import layers

from keras_kd._checks import invalid
from keras_kd.students.shrinking.rules import (
    attention,
    convolutions,
    dense,
    merging,
    normalizations,
    recurrent,
    shapes,
)
from keras_kd.students.shrinking.scaling import Scaling, Traced, cannot_scale


def register_rule(layer_class, rule):
    """Tells `shrink` how a layer of your own scales; replaces the rule it had.

    Args:
        layer_class: a class of `keras.layers.Layer`; its subclasses follow the rule
            too, unless they have one of their own.
        rule: function of one call of the layer that returns a `Scaling`. The call has
            `layer`; `inputs`, its tensors, each with `shape` and `axes`: along each
            axis the `Channels` that scale, or None; `args` and `kwargs`, the arguments
            with such tensors in them; `output_shapes`; and `ledger`, with `new(size)`
            for channels that the layer makes, `unify(first, second)` for axes that
            must keep the same channels, and `fix(channels)` for those that must stay.

    Raises:
        ValueError: `layer_class` is no class of layers, or `rule` cannot be called.

    Example:
        >>> import keras, keras_kd
        >>> @keras.saving.register_keras_serializable("docs")
        ... class Gain(keras.layers.Layer):
        ...     def __init__(self, channels, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.channels = channels
        ...         self.gain = self.add_weight(shape=(channels,), initializer="ones")
        ...     def call(self, x):
        ...         return x * self.gain
        ...     def get_config(self):
        ...         return {**super().get_config(), "channels": self.channels}
        >>> def gain_rule(call):
        ...     channels = call.inputs[0].axes[-1]
        ...     if channels is None:
        ...         return Scaling(outputs=[call.inputs[0].axes])
        ...     return Scaling(
        ...         outputs=[call.inputs[0].axes],
        ...         config={"channels": channels},
        ...         weights=[(call.layer.gain, (channels,))],
        ...     )
        >>> register_rule(Gain, gain_rule)
        >>> teacher = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(32), Gain(32)]
        ...     + [keras.layers.Dense(10)]
        ... )
        >>> keras_kd.students.shrink(teacher, width=0.5).layers[1].channels
        16
    """
    where = "keras_kd.students.register_rule"
    if not inspect.isclass(layer_class) or not issubclass(layer_class, layers.Layer):
        raise invalid(
            where, "a class of layers", repr(layer_class), "Pass the class itself."
        )
    if not callable(rule):
        raise invalid(
            where,
            "a rule that can be called",
            repr(rule),
            "Pass a function of one call that returns a Scaling.",
        )
    _registered[layer_class] = rule


def rule_of(operation):
    """The rule for a layer or operation; that of its nearest class that has one."""
    for kind in type(operation).__mro__:
        rule = _registered.get(kind) or _RULES.get(kind)
        rule = rule or _NAMED.get(f"{kind.__module__}.{kind.__qualname__}")
        if rule is None and _is_keras_operation(kind):
            rule = _OPERATIONS.get(kind.__name__, _elementwise_operation)
        if rule is not None:
            return rule
    raise cannot_scale(operation, "it has no rule")


def _is_keras_operation(kind):
    """Whether a class is one of `keras.ops`; they are not exported."""
    parts = kind.__module__.split(".")
    return (
        issubclass(kind, keras.Operation)
        and kind is not keras.Operation
        and not issubclass(kind, layers.Layer)
        and parts[:3] == ["keras", "src", "ops"]
    )


def _elementwise_operation(call):
    """Of one tensor and of its shape. What it gives is checked on the student."""
    shapes_ = [tensor.shape for tensor in call.inputs]
    if len(shapes_) != 1 or call.output_shapes != shapes_:
        raise cannot_scale(call.layer, "it has no rule")
    return shapes.same_axes(call)


def _time_distributed(call):
    """The layer's own rule, for each step."""
    inner, outer = call.layer.layer, call.inputs[0]
    if not isinstance(inner, layers.Layer) or isinstance(inner, keras.Model):
        raise cannot_scale(call.layer, "it repeats a model")
    step = Traced((outer.shape[0], *outer.shape[2:]), (outer.axes[0], *outer.axes[2:]))
    scaling = rule_of(inner)(
        replace(
            call,
            layer=inner,
            args=(step,),
            kwargs={},
            inputs=[step],
            output_shapes=[(s[0], *s[2:]) for s in call.output_shapes],
        )
    )
    return Scaling(
        outputs=[(axes[0], outer.axes[1], *axes[1:]) for axes in scaling.outputs],
        config={"layer": {"config": scaling.config}},
        weights=scaling.weights,
    )


_RULES = {
    **attention.RULES,
    **convolutions.RULES,
    **dense.RULES,
    **merging.RULES,
    **normalizations.RULES,
    **recurrent.RULES,
    **shapes.RULES,
    layers.TimeDistributed: _time_distributed,
}
_NAMED = {
    **normalizations.NAMED,
    f"{normalizations.CONVNEXT}.StochasticDepth": shapes.same_axes,
}
_OPERATIONS = {**merging.OPERATIONS, **shapes.OPERATIONS}
_registered = {}

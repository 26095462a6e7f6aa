"""What a rule is given, and what it answers."""

from dataclasses import dataclass, field

import keras

from keras_kd._checks import invalid

WHERE = "keras_kd.students.shrink"


@dataclass(frozen=True)
class Traced:
    """A tensor of the teacher, with the channels along its axes.

    Attributes:
        shape: tuple of int or None, with the batch.
        axes: tuple, as long: `Channels` where a size scales with the width, None where
            it stays.
    """

    shape: tuple
    axes: tuple


@dataclass(frozen=True)
class Call:
    """One call of a layer or operation in the teacher.

    Attributes:
        layer: the layer or operation.
        args: as it was called, with `Traced` for tensors.
        kwargs: the same.
        inputs: list of `Traced`, all tensors among the arguments in order.
        output_shapes: list of tuples.
        ledger: `Ledger`; makes channels and ties them.
    """

    layer: object
    args: tuple
    kwargs: dict
    inputs: list
    output_shapes: list
    ledger: object

    def argument(self, position, name):
        """The argument at `position` or of that name, or None."""
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name)


@dataclass(frozen=True)
class Scaling:
    """How a layer scales with the channels that it is given.

    Attributes:
        outputs: one tuple for each output tensor: the `Channels` along each axis, or
            None where the size stays.
        config: what changes in the layer's config: `Channels` stand for how many of
            them stay; dicts and tuples may hold them.
        weights: list of `(variable, axes)` for every weight with such an axis.

    Example:
        >>> Scaling(outputs=[(None, None)]).weights
        []
    """

    outputs: list
    config: dict = field(default_factory=dict)
    weights: list = field(default_factory=list)


def cannot_scale(operation, why):
    """The error for a layer or operation that cannot be followed."""
    kind = type(operation).__name__
    fix = f"Say how it scales: keras_kd.students.register_rule({kind}, rule)."
    if not isinstance(operation, keras.layers.Layer):
        fix = f"Put it in a layer of your own; then {fix[0].lower()}{fix[1:]}"
        fix = fix.replace(kind, "YourLayer")
    return invalid(
        WHERE,
        "layers whose channels can be followed",
        f'"{operation.name}" ({kind}): {why}',
        fix,
    )

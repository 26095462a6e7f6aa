"""Layers that mix all channels: dense ones, and embeddings."""

from keras import layers

from keras_kd.students.shrinking.rules.convolutions import bias
from keras_kd.students.shrinking.scaling import Scaling, cannot_scale


def dense(call):
    """New units."""
    layer, axes = call.layer, call.inputs[0].axes
    units = call.ledger.new(layer.units)
    return Scaling(
        outputs=[(*axes[:-1], units)],
        config={"units": units},
        weights=[(layer.kernel, (axes[-1], units)), *bias(layer, units)],
    )


def embedding(call):
    """A new width for every token."""
    layer = call.layer
    width = call.ledger.new(layer.output_dim)
    return Scaling(
        outputs=[(*call.inputs[0].axes, width)],
        config={"output_dim": width},
        weights=[(layer.embeddings, (None, width))],
    )


def einsum_dense(call):
    """New channels for each letter of the output that only the kernel has."""
    layer = call.layer
    incoming, kernel, outgoing = _letters(call)
    axes = dict(zip(incoming, call.inputs[0].axes, strict=True))
    sizes = dict(zip(kernel, layer.kernel.shape, strict=True))
    for letter in outgoing:
        if letter not in incoming:
            axes[letter] = call.ledger.new(sizes[letter])
    output = tuple(axes[letter] for letter in outgoing)
    given = layer.partial_output_shape
    weights = [(layer.kernel, tuple(axes.get(letter) for letter in kernel))]
    if layer.bias is not None:
        places = (outgoing.index(letter) for letter in layer.bias_axes)
        # The bias has an axis of size 1 for a letter that it does not name.
        named = sorted(places)
        weights.append(
            (
                layer.bias,
                tuple(
                    output[place] if place in named else None
                    for place in range(named[0], len(output))
                ),
            )
        )
    return Scaling(
        outputs=[output],
        config={
            "output_shape": tuple(
                size if channels is None else channels
                for size, channels in zip(given, output[-len(given) :], strict=True)
            )
        },
        weights=weights,
    )


def _letters(call):
    terms, _, outgoing = call.layer.equation.partition("->")
    incoming, _, kernel = terms.partition(",")
    if "..." not in call.layer.equation:
        return incoming, kernel, outgoing
    free = len(call.inputs[0].shape) - len(incoming.replace("...", ""))
    unused = [c for c in "ABCDEFGHIJKLMNOP" if c not in call.layer.equation]
    letters = "".join(unused[:free])
    if "..." in kernel:
        raise cannot_scale(call.layer, "its kernel has an ellipsis")
    return (
        incoming.replace("...", letters),
        kernel,
        outgoing.replace("...", letters),
    )


RULES = {
    layers.Dense: dense,
    layers.Embedding: embedding,
    layers.EinsumDense: einsum_dense,
}

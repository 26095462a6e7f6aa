"""Recurrent layers."""

from keras import layers

from keras_kd.students.shrinking.scaling import Scaling, cannot_scale

_GATES = {layers.SimpleRNN: 1, layers.GRU: 3, layers.LSTM: 4}


def recurrent(call):
    """New units, in every gate; given states have them too."""
    layer = call.layer
    units = call.ledger.new(layer.units)
    for state in call.inputs[1:]:
        if state.axes[-1] is None:
            call.ledger.fix(units)
        else:
            call.ledger.unify(units, state.axes[-1])
    return Scaling(
        outputs=[(*(None,) * (len(shape) - 1), units) for shape in call.output_shapes],
        config={"units": units},
        weights=_weights(layer, call.inputs[0].axes[-1], units),
    )


def bidirectional(call):
    """Both directions have the same units."""
    layer, ledger = call.layer, call.ledger
    if len(call.inputs) > 1 or len(call.output_shapes) > 1:
        raise cannot_scale(layer, "its states are inputs or outputs")
    forward = ledger.new(layer.forward_layer.units)
    backward = ledger.new(layer.backward_layer.units)
    ledger.unify(forward, backward)
    outgoing = forward.tile(2) if layer.merge_mode == "concat" else forward
    incoming = call.inputs[0].axes[-1]
    return Scaling(
        outputs=[(*(None,) * (len(call.output_shapes[0]) - 1), outgoing)],
        config={
            name: {"config": {"units": units}}
            for name, units in (("layer", forward), ("backward_layer", backward))
        },
        weights=[
            *_weights(layer.forward_layer, incoming, forward),
            *_weights(layer.backward_layer, incoming, backward),
        ],
    )


def _weights(layer, incoming, units):
    gates = next((n for kind, n in _GATES.items() if isinstance(layer, kind)), None)
    if gates is None:
        raise cannot_scale(layer, "its cell is not known")
    cell, along = layer.cell, units.tile(gates)
    weights = [
        (cell.kernel, (incoming, along)),
        (cell.recurrent_kernel, (units, along)),
    ]
    if cell.use_bias:
        weights.append((cell.bias, (*(None,) * (len(cell.bias.shape) - 1), along)))
    return weights


RULES = {**dict.fromkeys(_GATES, recurrent), layers.Bidirectional: bidirectional}

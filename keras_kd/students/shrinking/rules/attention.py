"""Attention layers."""

from keras import layers

from keras_kd._keras_internals import projections
from keras_kd.students.shrinking.scaling import Scaling, cannot_scale


def takes_heads(num_heads, width):
    """Whether the share `width` of the heads is a whole number of them."""
    return float(num_heads * width).is_integer()


def multi_head_attention(call):
    """Fewer heads of the same size where that is exact, else the heads' size scales."""
    layer, ledger = call.layer, call.ledger
    query, value, key = _query_value_key(call)
    inside = projections(layer)
    outgoing = call.output_shapes[0][len(query.axes) - 1 :]
    if len(outgoing) > 1:
        raise cannot_scale(layer, "its output has several new axes")
    if takes_heads(layer.num_heads, ledger.width):
        heads = ledger.new(layer.num_heads, divisor=1)
        keys = values = None
    else:
        heads = None
        keys, values = ledger.new(layer.key_dim), ledger.new(layer.value_dim)
    units = ledger.new(outgoing[0])
    output = (*query.axes[:-1], units)
    scores = (None, heads, *(None,) * (len(call.output_shapes[-1]) - 2))
    config = {"num_heads": heads, "key_dim": keys, "value_dim": values}
    return Scaling(
        outputs=[output, scores][: len(call.output_shapes)],
        config={"output_shape": (units,)}
        | {name: size for name, size in config.items() if size is not None},
        weights=[
            *_projection(inside.query, query.axes[-1], heads, keys),
            *_projection(inside.key, key.axes[-1], heads, keys),
            *_projection(inside.value, value.axes[-1], heads, values),
            *_projection(inside.gate, query.axes[-1], heads, values),
            (inside.output.kernel, (heads, values, units)),
            *_bias(inside.output, (units,)),
        ],
    )


def grouped_query_attention(call):
    """The heads stay, their size scales; the output has the query's channels."""
    layer = call.layer
    query, value, key = _query_value_key(call)
    size, channels = call.ledger.new(layer.head_dim), query.axes[-1]
    inside = projections(layer)
    denses = (
        (inside.query, query),
        (inside.key, key),
        (inside.value, value),
        (inside.gate, query),
    )
    return Scaling(
        outputs=[query.axes],
        config={"head_dim": size},
        weights=[
            *(
                weight
                for dense, source in denses
                for weight in _projection(dense, source.axes[-1], None, size)
            ),
            (inside.output.kernel, (None, size, channels)),
            *_bias(inside.output, (channels,)),
        ],
    )


def dot_product_attention(call):
    """`Attention` and `AdditiveAttention`, called on a list of query, value, key."""
    query, value, *key = call.inputs[:3]
    key = key[0] if key else value
    if None in (query.axes[-1], key.axes[-1]):
        call.ledger.fix(query.axes[-1])
        call.ledger.fix(key.axes[-1])
    else:
        call.ledger.unify(query.axes[-1], key.axes[-1])
    scale = getattr(call.layer, "scale", None)
    weights = []
    if scale is not None and len(scale.shape) == 1:
        weights = [(scale, (key.axes[-1],))]
    output = (*query.axes[:-1], value.axes[-1])
    scores = (None,) * len(call.output_shapes[-1])
    return Scaling(outputs=[output, scores][: len(call.output_shapes)], weights=weights)


def _query_value_key(call):
    query, value = call.argument(0, "query"), call.argument(1, "value")
    return query, value, call.argument(2, "key") or value


def _projection(dense, incoming, heads, size):
    if dense is None:
        return []
    return [(dense.kernel, (incoming, heads, size)), *_bias(dense, (heads, size))]


def _bias(dense, axes):
    return [] if dense.bias is None else [(dense.bias, axes)]


RULES = {
    layers.AdditiveAttention: dot_product_attention,
    layers.Attention: dot_product_attention,
    layers.GroupQueryAttention: grouped_query_attention,
    layers.MultiHeadAttention: multi_head_attention,
}

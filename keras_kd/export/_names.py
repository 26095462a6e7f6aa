"""Which Keras layers a tensor of a .tflite file comes from."""

import re

# Keras opens the scope of a layer twice for each call, and TensorFlow numbers scopes
# of one name: the layer "conv" computes in "conv_1", and in "conv_3" if called again; a
# layer "conv_1" beside it computes in "conv_1_2", for "conv_1" is taken.
_LAYER = re.compile(r"(.+)_\d+")
# Scopes of TensorFlow's own, which get numbers too when a layer uses them again.
_NOT_LAYERS = {"Tensordot", "cond", "einsum", "l2_normalize", "moments", "while"}


def layer_names(tensor_name):
    """The Keras layers in the name of a tensor of a .tflite file.

    Args:
        tensor_name: str or bytes, such as "net_1/relu_1/Relu;net_1/conv_1/convolution".

    Returns:
        A tuple of layer paths without the model's own name, nested models as
        "backbone/conv". First the layer whose result the tensor is, then those fused
        into it; the model's own name for what it computes outside its layers; `()` for
        tensors that name none, as inputs, outputs and most constants. A
        BatchNormalization that was folded into the layer before it comes first where it
        changed the weights; if it did nothing yet, it leaves no name.

    Example:
        >>> layer_names("net_1/relu_1/Relu;net_1/conv_1/convolution")
        ('relu', 'conv')
        >>> layer_names("net_1/vit_1/mha_1/einsum_1/Einsum2")
        ('vit/mha',)
        >>> layer_names("StatefulPartitionedCall_1:0")
        ()
    """
    if isinstance(tensor_name, bytes):
        tensor_name = tensor_name.decode()
    paths = map(_layer_path, tensor_name.split(";"))
    return tuple(dict.fromkeys(path for path in paths if path))


def _layer_path(name):
    """The path of one layer, "" for none."""
    *scopes, _ = name.split("/")
    found = [match[1] for match in map(_LAYER.fullmatch, scopes) if match]
    if not found:  # no scopes of Keras, as in files made by other programs
        found = scopes
    found = [scope for scope in found if scope not in _NOT_LAYERS]
    return "/".join(found[1:] or found)

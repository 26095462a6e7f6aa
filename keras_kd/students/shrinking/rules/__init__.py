"""How each kind of layer scales."""

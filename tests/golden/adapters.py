"""From a golden case to a call of the public functions, by method id.

Each adapter takes `(inputs, hyperparameters, weights)`: the arrays under `x.*`, `wk.*`,
keys without prefix, and returns the scalar loss as a Keras tensor.
"""

from collections.abc import Callable

from tests.golden import (
    feature_adapters,
    logit_adapters,
    map_adapters,
    relation_adapters,
    target_adapters,
)

ADAPTERS: dict[str, Callable] = {
    **logit_adapters.ADAPTERS,
    **target_adapters.ADAPTERS,
    **feature_adapters.ADAPTERS,
    **map_adapters.ADAPTERS,
    **relation_adapters.ADAPTERS,
}

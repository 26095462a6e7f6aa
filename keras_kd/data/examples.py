"""Inputs of a student with what else belongs to each of them."""

from typing import Any, NamedTuple


class Examples(NamedTuple):
    """In the place of plain inputs: a batch, or all examples, and their numbers.

    `Distiller.fit` takes it as `x`, in arrays and in every kind of data set, and gives
    the numbers to the losses that need them, the soft targets to a teacher that was
    stored; models see the inputs alone.

    Attributes:
        inputs: what the student takes, `(batch, ...)` or a structure of such.
        ids: integers `(batch,)`: the number of each example in its data set, the same
            in every epoch, from 0; `()` if there are none.
        soft_targets: float `(batch, num_classes)`, logits that a teacher gave for them
            earlier; `()` if there are none.

    Example:
        >>> import numpy as np
        >>> x = Examples(np.zeros((3, 8, 8, 1)), ids=np.arange(3))
        >>> x.ids.tolist()
        [0, 1, 2]
    """

    inputs: Any
    ids: Any = ()
    soft_targets: Any = ()


def as_examples(x):
    """Plain inputs as `Examples` of nothing else; `Examples` as they are.

    Args:
        x: inputs or `Examples`.

    Returns:
        `Examples`.

    Example:
        >>> as_examples([1.0, 2.0]).ids
        ()
    """
    return x if isinstance(x, Examples) else Examples(x)

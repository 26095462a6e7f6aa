"""Epochs, for losses that change from one to the next, told from the step count."""

from keras import ops

from keras_kd._checks import check_positive, invalid


def epoch_at(iterations, steps_per_epoch):
    """The epoch to which a step belongs.

    Args:
        iterations: the optimizer's step count, int or scalar tensor.
        steps_per_epoch: int > 0.

    Returns:
        Int32 scalar tensor, 1 in the first epoch.

    Example:
        >>> [int(epoch_at(step, 100)) for step in (0, 99, 100)]
        [1, 1, 2]
    """
    return 1 + ops.floor_divide(ops.cast(iterations, "int32"), steps_per_epoch)


def check_count(where, name, value):
    """Raises unless `value` is a whole number above 0.

    Args:
        where: str, the class that was given it.
        name: str, the argument's.
        value: what was given.

    Raises:
        ValueError: It is not.

    Example:
        >>> check_count("Loss", "k", 5)
    """
    check_positive(where, name, value)
    if not isinstance(value, int):
        raise invalid(
            where,
            f"`{name}` to be an int above 0",
            repr(value),
            f"Choose a whole number as `{name}`.",
        )

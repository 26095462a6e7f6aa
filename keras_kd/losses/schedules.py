"""Numbers that may change over training: a float, or a Keras schedule."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_kd._checks import check_positive, invalid


def is_schedule(value):
    """Whether `value` is a `keras.optimizers.schedules.LearningRateSchedule`."""
    return isinstance(value, LearningRateSchedule)


def value_at(value, iterations):
    """The number that holds at a step.

    Args:
        value: float, or `LearningRateSchedule`.
        iterations: the optimizer's step count, int or scalar tensor.

    Returns:
        A float, or a scalar tensor for a schedule.

    Example:
        >>> value_at(4.0, 10)
        4.0
    """
    return value(iterations) if is_schedule(value) else value


def check_schedule(where, name, value, check=check_positive):
    """Applies `check(where, name, number)` to a number or to a schedule's values.

    A schedule is looked at over a wide range of steps; its formula cannot be.

    Raises:
        ValueError: It is neither, or the check fails.
    """
    if not is_schedule(value):
        check(where, name, value)
        return
    for step in (0, *(10**power for power in range(7))):
        number = float(value(step))
        try:
            check(where, name, number)
        except ValueError as error:
            raise invalid(
                where,
                f"the schedule of `{name}` to stay in its range",
                f"{number:g} at step {step}",
                f"Change the settings of {type(value).__name__}.",
            ) from error


def to_config(value):
    """A JSON-able form of a float or schedule."""
    return keras.saving.serialize_keras_object(value) if is_schedule(value) else value


def from_config(config):
    """The inverse of `to_config`."""
    if isinstance(config, dict):
        return keras.saving.deserialize_keras_object(config)
    return config

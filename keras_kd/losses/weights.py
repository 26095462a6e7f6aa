"""The weights of the terms of one loss."""

from keras_kd._checks import invalid, is_number


def check_weights(where, **weights):
    """Raises unless every weight is a finite number of at least 0.

    Args:
        where: str, the class of the loss.
        weights: the weights by their names.

    Raises:
        ValueError: One is not; the message names it.

    Example:
        >>> check_weights("DecoupledDistillation", alpha=1.0, beta=0.0)
    """
    for name, value in weights.items():
        if not is_number(value) or value < 0:
            raise invalid(
                where,
                f"`{name}` to be a number of at least 0",
                repr(value),
                f"Choose `{name}` = 0 to leave the term out.",
            )

"""Argument checks, and the one template of every error message."""

import difflib
import math
import numbers


class InvalidInputError(ValueError):
    """What the caller gave cannot be used; the message says where, what and how to fix.

    Attributes:
        parts: `(where, expected, got, fix)`, see `invalid`, for whoever knows a better
            fix on the way up; None in the copy that Keras makes of an error in `call`.

    Example:
        >>> print(invalid("Distiller", "alpha in [0, 1]", 2, "Choose a smaller one."))
        Distiller: expected alpha in [0, 1], got 2. Choose a smaller one.
    """

    parts = None


class ConversionError(RuntimeError):
    """TensorFlow's converter failed or crashed; the message has its last words.

    Attributes:
        printed: str, all that the converter wrote.

    Example:
        >>> issubclass(ConversionError, RuntimeError)
        True
    """

    printed = ""


class DeviceError(RuntimeError):
    """A device, or the program on it, did not do what was asked; one clear line.

    Example:
        >>> issubclass(DeviceError, RuntimeError)
        True
    """


class AccuracyTooLowError(RuntimeError):
    """A .tflite file is less accurate than was asked for.

    Attributes:
        verification: the `keras_kd.export.Verification`, with all that was measured.

    Example:
        >>> issubclass(AccuracyTooLowError, RuntimeError)
        True
    """

    def __init__(self, message, verification=None):
        super().__init__(message)
        self.verification = verification


def invalid(where, expected, got, fix):
    """The error for an input that cannot be used.

    Args:
        where: str, the class or function that was given the input.
        expected: str, what it accepts.
        got: what it was given; any object, shown with `str`.
        fix: str, one sentence in the imperative.

    Returns:
        An `InvalidInputError`, to be raised by the caller.
    """
    error = InvalidInputError(f"{where}: expected {expected}, got {got}. {fix}")
    error.parts = where, expected, got, fix
    return error


def not_installed(where, library, extra, *, kind=InvalidInputError):
    """The error for a library that comes with an extra of keras-kd.

    Args:
        where: str, the class or function that needs it.
        library: str, its name, and where there is none if that is not everywhere.
        extra: str, as in pyproject.toml.
        kind: class of the error.

    Returns:
        An error, to be raised by the caller.

    Example:
        >>> error = not_installed("label_with_beam", "Apache Beam", "beam")
        >>> str(error).endswith('Install it: pip install "keras-kd[beam]".')
        True
    """
    return kind(
        f"{where}: expected {library}, got none that can be imported. Install it: "
        f'pip install "keras-kd[{extra}]".'
    )


def is_number(value):
    """Whether `value` is a finite real number (a bool is not).

    Example:
        >>> is_number(2), is_number(True), is_number(float("nan"))
        (True, False, False)
    """
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def check_fraction(where, name, value):
    """Raises unless `value` is a number in [0, 1]."""
    if not is_number(value) or not 0 <= value <= 1:
        raise invalid(
            where,
            f"`{name}` to be a number in [0, 1]",
            repr(value),
            f"Choose `{name}` between 0 and 1.",
        )


def check_positive(where, name, value):
    """Raises unless `value` is a finite number above 0."""
    if not is_number(value) or value <= 0:
        raise invalid(
            where,
            f"`{name}` to be a number above 0",
            repr(value),
            f"Choose a positive `{name}`.",
        )


def check_choice(where, name, value, choices):
    """Raises unless `value` is one of `choices`, naming the near matches."""
    if value not in choices:
        raise invalid(
            where,
            f"`{name}` to be one of {', '.join(map(repr, choices))}",
            repr(value),
            near_matches(str(value), [str(choice) for choice in choices])
            or f"Choose one of the {len(choices)}.",
        )


def near_matches(name, names, *, most=5):
    """A sentence that proposes the names most like `name`, or "" if none is.

    Example:
        >>> near_matches("conv_2", ["conv2", "dense", "conv3"])
        'Did you mean "conv2" or "conv3"?'
    """
    matches = difflib.get_close_matches(name, names, n=most, cutoff=0.5)
    quoted = [f'"{match}"' for match in matches]
    return f"Did you mean {' or '.join(quoted)}?" if quoted else ""

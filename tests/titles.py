"""Names of parameters, the same in each process that collects the tests."""


def title(value):
    """For `ids=` of losses, metrics and functions, whose repr has an address."""
    if isinstance(value, str) or value is None:
        return str(value)
    value = getattr(value, "func", value)
    return str(getattr(value, "__name__", None) or getattr(value, "name", value))

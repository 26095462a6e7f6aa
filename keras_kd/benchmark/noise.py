"""What makes the times of a run doubtful."""

import os

# Of the 90th percentile to the median; on a quiet machine it is below 1.1.
MOST_SPREAD = 1.25
_HERE = ("host", "linux", "browser")


def doubts(measurement):
    """Why the times of a run should not be trusted, a tuple of str, often empty.

    Args:
        measurement: a `Measurement`.
    """
    if measurement.p50_ms is None:
        return ()
    found = (_spread(measurement), _load(measurement), _governor(measurement))
    return tuple(doubt for doubt in found if doubt)


def _spread(measurement):
    if measurement.p90_ms is None or not measurement.p50_ms:
        return None
    spread = measurement.p90_ms / measurement.p50_ms
    if spread <= MOST_SPREAD:
        return None
    return (
        f"the times spread: p90 is {spread:.2f} times p50, more than {MOST_SPREAD}; "
        "something else ran, or the clock changed"
    )


def _load(measurement):
    # How many cores another machine has is not known.
    if measurement.load is None or measurement.target.partition(":")[0] not in _HERE:
        return None
    cores = os.cpu_count() or 1
    if measurement.load + measurement.threads <= cores + 0.5:
        return None
    return (
        f"the machine was busy: a load of {measurement.load:.1f} before the run with "
        f"{measurement.threads} of {cores} cores"
    )


def _governor(measurement):
    # Others, those of phones too, raise the clock while there is work.
    if measurement.governor != "powersave":
        return None
    return 'the processor\'s governor was "powersave", which keeps the clock low'

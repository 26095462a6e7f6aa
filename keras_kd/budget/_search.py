"""The largest architecture that fits, with few measurements."""

_GROWING = {"max_params", "max_size_bytes", "max_macs"}


def largest_that_fits(architectures, measure, max_params):
    """Bisects, then looks at the neighbours: not every cost grows at every step.

    Args:
        architectures: list of `Architecture`, of one depth, by parameters.
        measure: function of one of them that gives its `Candidate`.
        max_params: number, or None.

    Returns:
        The last `Candidate` that fits, whose next larger neighbour, if it has one, was
        measured too and does not; None if there is none.
    """
    low, high = -1, len(architectures)
    while (
        high and max_params is not None and architectures[high - 1].params > max_params
    ):
        high -= 1
    while high - low > 1:
        middle = (low + high) // 2
        if measure(architectures[middle]).fits:
            low = middle
        else:
            high = middle
    low = _past_neighbours(architectures, low, measure)
    return measure(architectures[low]) if low >= 0 else None


def most_measurements(architectures):
    """How many `largest_that_fits` needs, if the neighbours hold nothing new."""
    return len(architectures).bit_length() + 1


def _past_neighbours(architectures, low, measure):
    """The position of the last that fits, when two are tried above each."""
    position = low + 1
    while position <= min(low + 2, len(architectures) - 1):
        candidate = measure(architectures[position])
        if candidate.fits:
            low = position
        elif _GROWING & set(candidate.over) and _all_larger(
            architectures[position : position + 2]
        ):
            break
        position += 1
    return low


def _all_larger(pair):
    """Whether the second of two has no axis that is smaller than the first's."""
    first, *second = (one.shapes for one in pair)
    return not second or all(
        size <= larger
        for shape, other in zip(first, second[0], strict=True)
        for size, larger in zip(shape, other, strict=True)
    )

"""A student that was measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A student of the search, and what its file was measured to cost.

    Attributes:
        width: float, see `keras_kd.students.shrink`.
        depth: float, see there.
        divisor: int, see there.
        params: int, weights of the Keras model.
        size_bytes: int, of the .tflite file.
        macs: int, multiplications with accumulation of one run of the file.
        arena_bytes: int, an arena that is enough for TensorFlow Lite Micro as a whole:
            `Inspection.micro_arena_bytes`, which is what a microcontroller must have.
        latency_ms: float, the median of one run; None if there was no limit on it.
        over: tuple of str, the limits that it breaks, such as "max_size_bytes".

    Example:
        >>> Candidate(0.5, 1.0, 8, 4466, 8632, 150_000, 9_000, None, ()).fits
        True
    """

    width: float
    depth: float
    divisor: int
    params: int
    size_bytes: int
    macs: int
    arena_bytes: int
    latency_ms: float | None
    over: tuple[str, ...]

    @property
    def fits(self):
        """Whether it breaks no limit."""
        return not self.over

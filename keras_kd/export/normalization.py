"""How raw inputs become what the model was trained on."""

from dataclasses import dataclass

import numpy as np

from keras_kd._checks import invalid


@dataclass(frozen=True)
class Normalization:
    """Inputs of the model = (raw inputs - mean) / std.

    Attributes:
        mean: tuple of float: one, or one for each channel (the last axis).
        std: tuple of float, none of them 0, likewise.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, where, given):
        """Reads what the user gave.

        Args:
            where: str, see `invalid`.
            given: None, or `(mean, std)`, each a number or a sequence of them.

        Returns:
            A `Normalization`, or None for None.

        Raises:
            ValueError: It is something else, not finite, or divides by 0.
        """
        if given is None or isinstance(given, cls):
            return given
        try:
            mean, std = (np.atleast_1d(part).astype("float64") for part in given)
            is_usable = np.isfinite(mean).all() and np.isfinite(std).all() and std.all()
        except (TypeError, ValueError):
            is_usable = False
        if not is_usable or mean.ndim != 1 or std.ndim != 1:
            raise invalid(
                where,
                "normalization=(mean, std), numbers or one for each channel, std not 0",
                repr(given),
                "For pixels that training divided by 255, pass (0, 255).",
            )
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def check(self, where, shape):
        """Raises unless it fits inputs of a shape.

        Args:
            where: str, see `invalid`.
            shape: tuple, of one input.

        Raises:
            ValueError: There are more numbers than one and not one for each channel.
        """
        channels = shape[-1] if shape else 1
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, channels):
                raise invalid(
                    where,
                    f"normalization with one {name}, or {channels}, one a channel",
                    f"{len(getattr(self, name))}",
                    "Pass one number for each value of the last axis.",
                )

    def weights(self, channels):
        """It as a multiplication and an addition.

        Args:
            channels: int, of the inputs.

        Returns:
            `(scale, offset)`, float32 arrays `(channels,)`.
        """
        scale = 1.0 / np.array(self.std)
        offset = -np.array(self.mean) * scale
        return tuple(
            np.broadcast_to(part, channels).astype("float32")
            for part in (scale, offset)
        )

    def invert(self, inputs):
        """Raw inputs of the model's; array `(n, ..., channels)`."""
        return inputs * np.array(self.std) + np.array(self.mean)

    def invert_range(self, ends):
        """The range of raw inputs, of all channels, when the model's is `(low, high)`.

        Args:
            ends: `(low, high)`.

        Returns:
            `(low, high)`, floats.
        """
        raw = self.invert(np.array(ends, dtype="float64")[:, None])
        return float(raw.min()), float(raw.max())

"""What a device is asked to do."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """One .tflite file to be run on a device.

    Attributes:
        path: `Path` of the .tflite file.
        target: str, as the user gave it, such as "ssh:pi@board".
        threads: int > 0.
        runs: int > 0, timed runs.
        warmup: int ≥ 0, runs before them.
        golden: `Path` of what `write_golden` made, or None.
        profile: bool, whether to time each operation.
    """

    path: Path
    target: str
    threads: int = 1
    runs: int = 200
    warmup: int = 20
    golden: Path | None = None
    profile: bool = False

    @property
    def place(self):
        """What follows the colon of the target: "pi@board"; "" if nothing."""
        return self.target.partition(":")[2]

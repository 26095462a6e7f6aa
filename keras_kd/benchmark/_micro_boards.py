"""Which microcontroller boards a .tflite file fits on, with TensorFlow Lite Micro."""

from dataclasses import dataclass

from keras_kd.benchmark._micro_flash import flash_bytes
from keras_kd.export import inspect
from keras_kd.export._targets import refused_by_micro

_KIB, _MIB = 2**10, 2**20


@dataclass(frozen=True)
class Board:
    """A microcontroller board.

    Attributes:
        name: str.
        processor: str, chip and core.
        ram_bytes: int, in all.
        block_bytes: int, of RAM in one piece, as an arena must be.
        flash_bytes: int.
        source: str, the maker's page.
    """

    name: str
    processor: str
    ram_bytes: int
    block_bytes: int
    flash_bytes: int
    source: str


@dataclass(frozen=True)
class BoardFit:
    """Whether a file fits on a board.

    Attributes:
        board: a `Board`.
        fits: bool.
        reason: str, why it does not; "" if it fits.
        arena_bytes: int, that TensorFlow Lite Micro needs at most.
        flash_bytes: int, of the file and the code that runs it: an estimate.
    """

    board: Board
    fits: bool
    reason: str
    arena_bytes: int
    flash_bytes: int


# Some common ones, smallest first.
BOARDS = (
    Board(
        "micro:bit V2",
        "nRF52833, Cortex-M4",
        128 * _KIB,
        128 * _KIB,
        512 * _KIB,
        "https://tech.microbit.org/hardware/",
    ),
    Board(
        "NUCLEO-F446RE",
        "STM32F446RE, Cortex-M4",
        128 * _KIB,
        128 * _KIB,
        512 * _KIB,
        "https://www.st.com/en/microcontrollers-microprocessors/stm32f446re.html",
    ),
    Board(
        "MAX78000FTHR",
        "MAX78000, Cortex-M4",
        128 * _KIB,
        128 * _KIB,
        512 * _KIB,
        "https://www.analog.com/en/products/max78000.html",
    ),
    Board(
        "Arduino Nano 33 BLE Sense",
        "nRF52840, Cortex-M4",
        256 * _KIB,
        256 * _KIB,
        1 * _MIB,
        "https://docs.arduino.cc/hardware/nano-33-ble-sense/",
    ),
    Board(
        "Raspberry Pi Pico",
        "RP2040, Cortex-M0+",
        264 * _KIB,
        264 * _KIB,
        2 * _MIB,
        "https://www.raspberrypi.com/documentation/microcontrollers/pico-series.html",
    ),
    Board(
        "ESP32-S3-DevKitC-1-N8",
        "ESP32-S3, Xtensa LX7",
        512 * _KIB,
        # What Arduino's core for it leaves to static data; the rest is caches and code.
        320 * _KIB,
        8 * _MIB,
        "https://docs.espressif.com/projects/esp-dev-kits/en/latest/esp32s3/",
    ),
    Board(
        "NUCLEO-H743ZI2",
        "STM32H743ZI, Cortex-M7",
        1 * _MIB,
        # Its RAM is in several places; the largest is on the AXI bus.
        512 * _KIB,
        2 * _MIB,
        "https://www.st.com/en/microcontrollers-microprocessors/stm32h743zi.html",
    ),
)


def fits(tflite_path, *, on=None, other_ram_bytes=16 * _KIB, other_flash_bytes=0):
    """Whether a .tflite file fits on boards, with TensorFlow Lite Micro.

    Args:
        tflite_path: `str` or `Path`.
        on: iterable of `Board`; None for `keras_kd.benchmark.BOARDS`.
        other_ram_bytes: int, RAM for stack and firmware beside the arena.
        other_flash_bytes: int, flash for firmware beside the student.

    Returns:
        A tuple of `BoardFit`.

    Raises:
        ValueError: There is no such file, or it is damaged.

    Example:
        `[fit.board.name for fit in fits("student.tflite") if fit.fits]`
    """
    inspection = inspect(tflite_path)
    refused = [str(problem) for problem in refused_by_micro(inspection)]
    arena, flash = inspection.micro_arena_bytes, flash_bytes(inspection)
    found = []
    for board in BOARDS if on is None else on:
        reasons = [
            *refused,
            *_lack("RAM", arena + other_ram_bytes, board.ram_bytes),
            *_lack("RAM in one piece", arena, board.block_bytes),
            *_lack("flash", flash + other_flash_bytes, board.flash_bytes),
        ]
        found.append(BoardFit(board, not reasons, " ".join(reasons), arena, flash))
    return tuple(found)


def _lack(what, needed, there):
    if needed <= there:
        return []
    return [f"It takes {needed:,} bytes of {what}, and there are {there:,}."]

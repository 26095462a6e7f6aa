"""The classes of device that a file can be run on, by name."""

import importlib

from keras_kd._checks import check_choice, invalid

WHERE = "keras_kd.benchmark.measure"
# The module of each, imported on first use: a device's tools are not everybody's.
TARGETS = {
    "host": "host",
    "linux": "linux",
    "aarch64": "aarch64",
    "ssh": "ssh",
    "android": "android",
    "browser": "browser",
    "microcontroller": "microcontroller",
    "cortex-m4": "cortex_m",
}
# With what may follow the colon, for a person.
_PLACES = {
    "ssh": "ssh:user@board",
    "android": "android:SERIAL",
    "browser": "browser:webgpu",
    "microcontroller": "microcontroller:ARENA_BYTES",
}


def target_module(target):
    """The module that runs files on a target.

    Args:
        target: str, a name, for some with a place: "host", "ssh:pi@board".

    Returns:
        A module with `run(request)`, which takes a `Request` and gives a `Measurement`.

    Raises:
        ValueError: There is no such target, or its place is missing or too much.
    """
    name, colon, place = str(target).partition(":")
    check_choice(WHERE, "target", name, TARGETS)
    if name == "ssh" and not place:
        raise invalid(
            WHERE, '"ssh:user@board"', f'"{target}"', "Say on which board to run."
        )
    if colon and (name not in _PLACES or not place):
        form = _PLACES.get(name, name)
        raise invalid(
            WHERE, f'the target as "{form}"', f'"{target}"', "Correct the target."
        )
    return importlib.import_module(f"keras_kd.benchmark.{TARGETS[name]}")

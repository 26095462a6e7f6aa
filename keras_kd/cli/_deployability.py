"""Whether a student runs on a target, on the screen."""

import re

from rich.markup import escape

from keras_kd._checks import invalid
from keras_kd.cli._console import console

_UNITS = {"": 1, "k": 1024, "m": 1024**2}


def check_or_stop(student, target, ram):
    """Shows what keeps a student from running; ends the program with 1 if anything.

    Args:
        student: a Keras model.
        target: str, see `check_deployable`.
        ram: str as given on the command line, or None.
    """
    from keras_kd.export import check_deployable

    answer = check_deployable(student, target=target, ram_bytes=_ram_bytes(ram))
    _show("Problem", "bold red", answer.problems)
    _show("Note", "bold yellow", answer.remarks)
    if not answer.ok:
        console.print(f"[bold]{student.name}[/] will not run on the target {target}.")
        raise SystemExit(1)
    found = answer.inspection
    console.print(
        f"[bold]{student.name}[/] runs on the target {target}: "
        f"{found.size_bytes / 1000:,.1f} kB file of {found.inputs[0].dtype}, "
        f"{found.macs / 1e6:,.2f} million multiplications, "
        f"{found.arena_bytes / 1000:,.1f} kB of activations" + _in_arena(found, target)
    )


def _in_arena(found, target):
    if target != "microcontroller":
        return "."
    return f" in an arena of at most {found.micro_arena_bytes / 1000:,.1f} kB."


def _ram_bytes(text):
    """Bytes of "65536", "64k", "64kB" or "64KiB"; None of None."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+) ?([km]?)(i?b)?", text.strip().lower())
    if not match or not int(match[1]):
        raise invalid(
            "keras-kd", "--ram as 65536, 64kB or 1MB", f'"{text}"', "Give a size."
        )
    return int(match[1]) * _UNITS[match[2]]


def _show(kind, style, problems):
    """One paragraph for each, those that differ only in their layer together."""
    alike = {}
    for problem in problems:
        key = problem.operation, problem.reason, problem.fix
        alike.setdefault(key, []).append(problem.layer or "the model")
    for (operation, reason, fix), layers in alike.items():
        where = escape(f"{', '.join(layers)}: {operation}.")
        console.print(f"[{style}]{kind}[/] {where} {escape(reason)} {escape(fix)}")

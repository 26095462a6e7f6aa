"""Whether a student runs on a target, on the screen."""

from rich.markup import escape

from keras_kd.cli._console import console
from keras_kd.cli._sizes import size_bytes


def check_or_stop(student, target, ram):
    """Shows what keeps a student from running; ends the program with 1 if anything.

    Args:
        student: a Keras model.
        target: str, see `check_deployable`.
        ram: str as given on the command line, or None.

    Returns:
        The `Deployability`.
    """
    from keras_kd.export import check_deployable

    ram_bytes = size_bytes("--ram", ram)
    answer = check_deployable(student, target=target, ram_bytes=ram_bytes)
    _show("Problem", "bold red", answer.problems)
    _show("Note", "bold yellow", answer.remarks)
    if not answer.ok:
        console.print(f"[bold]{student.name}[/] will not run on the target {target}.")
        raise SystemExit(1)
    return answer


def describe(student, answer):
    """Says what a student that runs on its target takes there."""
    found, target = answer.inspection, answer.target
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


def _show(kind, style, problems):
    """One paragraph for each, those that differ only in their layer together."""
    alike = {}
    for problem in problems:
        key = problem.operation, problem.reason, problem.fix
        alike.setdefault(key, []).append(problem.layer or "the model")
    for (operation, reason, fix), layers in alike.items():
        where = escape(f"{', '.join(layers)}: {operation}.")
        console.print(f"[{style}]{kind}[/] {where} {escape(reason)} {escape(fix)}")

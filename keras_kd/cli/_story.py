"""What `keras-kd distill --student auto` tells on the screen."""

from rich.markup import escape

from keras_kd.cli._console import console, new_table

_LITTLE_BETTER = 1.5


def warn_of_poor_teacher(accuracy, num_classes):
    """Says so where the teacher is hardly better than chance on this data."""
    if accuracy < _LITTLE_BETTER / num_classes:
        console.print(
            f"[bold yellow]Note[/] The teacher is right on {accuracy:.1%} of the "
            "validation part, little better than chance. Is the data scaled, and are "
            "its classes in the order, as in the teacher's training?"
        )


def show_choice(found, teacher):
    """Says which student was chosen, and what the next larger one would break."""
    chosen = found.chosen
    console.print(
        f"The largest student within the limits, of {len(found.tried)} tried: "
        f"{_shape(chosen)}, {chosen.params:,} weights, "
        f"{teacher.count_params() / chosen.params:.1f}x fewer than its teacher."
    )
    larger = [one for one in found.tried if one.params > chosen.params and one.over]
    if larger:
        after = min(larger, key=lambda one: one.params)
        over = ", ".join(
            f"{_number(getattr(after, name.removeprefix('max_')))} {_UNITS[name]}"
            for name in after.over
        )
        console.print(f"The next larger, {_shape(after)}, needs {over}.")


_UNITS = {
    "max_size_bytes": "bytes",
    "max_params": "weights",
    "max_macs": "multiplications",
    "max_arena_bytes": "bytes of memory",
    "max_latency_ms": "ms",
}


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _shape(candidate):
    shown = f"width {candidate.width:.3g}"
    return shown if candidate.depth == 1 else f"{shown}, depth {candidate.depth:.3g}"


def tell(teacher, student, found, *, folder, data):
    """Shows what became of the teacher.

    Args:
        teacher: `Row` of the teacher.
        student: `Row` of the student's file.
        found: `budget.Found`.
        folder: `Path` of the results.
        data: `DataSet`.
    """
    rows = new_table(
        f"{escape(data.name)}, test part ({len(data.test):,} examples)",
        "",
        "teacher",
        student.name,
        "allowed",
    )
    for title, *cells in _lines(teacher, student, found):
        rows.add_row(title, *cells)
    console.print()
    console.print(rows)
    console.print(_sentence(teacher, student))
    console.print(
        f"Ship {folder / student.name} and the .json beside it; everything else is in "
        f"{folder} too: student.keras, results.json, budget.png."
    )


def _lines(teacher, student, found):
    """The cells of each line: title, teacher, file, limit."""
    limits, chosen = found.limits, found.chosen
    times = [row.latency_ms and row.latency_ms["p50"] for row in (teacher, student)]
    return [
        ("accuracy", f"{teacher.accuracy:.1%}", f"{student.accuracy:.1%}", ""),
        ("95 % interval", _interval(teacher), _interval(student), ""),
        ("as the teacher", "", f"{student.teacher_agreement:.1%}", ""),
        _line("weights", teacher.params, student.params, limits.max_params),
        _line(
            "bytes",
            teacher.size_bytes,
            student.size_bytes,
            limits.max_size_bytes,
        ),
        _line("multiplications", None, chosen.macs, limits.max_macs),
        _line("bytes of memory", None, chosen.arena_bytes, limits.max_arena_bytes),
        _line("milliseconds", *times, limits.max_latency_ms),
    ]


def _line(title, *values):
    return title, *("" if value is None else _number(value) for value in values)


def _interval(row):
    return "{:.1f}-{:.1f}".format(*(100 * bound for bound in row.accuracy_ci95))


def _sentence(teacher, student):
    kept = student.accuracy / teacher.accuracy
    smaller = teacher.size_bytes / student.size_bytes
    said = (
        f"The file is {smaller:.0f}x smaller than the teacher's weights and keeps "
        f"{kept:.1%} of its accuracy."
    )
    if student.measured_on is None:
        return said
    return (
        f"{said} Times are medians on the {student.measured_on}, one thread; "
        "other devices have others."
    )

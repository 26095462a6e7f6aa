"""What `keras-kd benchmark` shows."""

from pathlib import Path

from rich.markup import escape

from keras_kd.cli._console import console, new_table

# Of the operations as many as a screen shows; the JSON file has all.
_MOST_OPERATIONS = 15


def show(table, title):
    """Prints the rows that there are, where they were measured, and the doubts.

    Args:
        table: a `BenchmarkTable`.
        title: str or None.
    """
    done = [row for row in table.rows if row.measurement is not None]
    if not done:
        return
    console.print(_table(done, title))
    for row in done:
        if row.measurement.operations:
            console.print(_operations(row))
    places = _by_place(done)
    for place, rows in places.items():
        console.print(f"[bold]{escape(place)}:[/] {escape(_setting(rows[0]))}")
    for row in done:
        if row.target.partition(":")[0] == "microcontroller":
            _show_boards(row)
    for doubt, about in _doubts(places).items():
        _note(f"{', '.join(about)}: {doubt}.")
    console.print()


def show_comparison(comparison):
    """Prints how files timed in turn relate.

    Args:
        comparison: a `Comparison`.
    """
    title = f"In turn on {comparison.target}, {comparison.rounds} rounds"
    columns = ("file", "p50 ms", "least ms", "to the first", "95 % CI")
    rows = new_table(title, *columns)
    stems = [Path(one.file).stem for one in comparison.files]
    for number, (one, stem) in enumerate(zip(comparison.files, stems, strict=True)):
        low, high = one.ratio_ci95
        rows.add_row(
            escape(stem if stems.count(stem) == 1 else one.file),
            _ms(one.p50_ms),
            _ms(one.min_ms),
            f"{one.ratio:.3f}" if number else "",
            f"{low:.3f}-{high:.3f}" if number else "",
        )
    console.print(rows)
    for warning in comparison.warnings:
        _note(f"{warning}.")
    console.print()


def _table(done, title):
    columns = {
        name: cell
        for name, cell in _COLUMNS.items()
        if any(cell(row) not in ("", "-") for row in done)
    }
    rows = new_table(title, *columns)
    # A long name folds, instead of the numbers.
    rows.columns[0].no_wrap, rows.columns[0].overflow = False, "fold"
    for place, found in _by_place(done).items():
        rows.add_row(f"[bold]{escape(place)}[/]")
        for row in found:
            name, *cells = (cell(row) for cell in columns.values())
            rows.add_row(f" {escape(name)}", *cells)
        rows.add_section()
    return rows


def _operations(row):
    found = sorted(row.measurement.operations, key=lambda one: -one.ms)
    total = sum(one.ms for one in found)
    title = f"Operations of {_name(row)} on {row.target}"
    if len(found) > _MOST_OPERATIONS:
        title += f" ({_MOST_OPERATIONS} slowest of {len(found)})"
    rows = new_table(title, "operation", "ms", "share")
    for one in found[:_MOST_OPERATIONS]:
        share = one.ms / total if total else 0
        rows.add_row(one.name, _ms(one.ms), f"{share:.0%}")
    return rows


def _show_boards(row):
    """Which boards a file fits on, and what it needs there."""
    from keras_kd.benchmark import fits
    from keras_kd.export import inspect

    found = fits(row.file)
    names = sorted({one.name for one in inspect(row.file).operations})
    console.print(
        f"[bold]{escape(_name(row))}[/] needs {', '.join(names)}; about "
        f"{found[0].flash_bytes / 1000:,.0f} kB of flash with the code, an estimate."
    )
    fitting = [one.board.name for one in found if one.fits]
    if fitting:
        console.print(f"  [green]fits[/] {escape(', '.join(fitting))}")
    for one in found:
        if not one.fits:
            why = escape(f"{one.board.name}: {one.reason}")
            console.print(f"  [red]does not fit[/] {why}")


def _by_place(rows):
    """A dict of target, and accelerator if it is no CPU, to the rows of it."""
    found = {}
    for row in rows:
        accelerator = row.measurement.accelerator
        place = row.target if accelerator == "CPU" else f"{row.target}, {accelerator}"
        found.setdefault(place, []).append(row)
    return found


def _setting(row):
    """What ran the rows of one place, in words."""
    of = row.measurement
    parts = [f"{of.measured_on} ({of.machine})", of.runtime]
    if of.is_emulated:
        parts.append("emulated")
    if of.p50_ms is not None:
        threads = "1 thread" if of.threads == 1 else f"{of.threads} threads"
        parts.append(f"{threads}, {of.runs} runs")
    return "; ".join(parts)


def _doubts(places):
    """A dict of each warning to what it is about: a place, or some of its files."""
    found = {}
    for place, rows in places.items():
        files = {}
        for row in rows:
            for warning in row.measurement.warnings:
                files.setdefault(warning, []).append(_name(row))
        for warning, names in files.items():
            every = len(names) == len(rows)
            about = [place] if every else [f"{name} on {place}" for name in names]
            found.setdefault(warning, []).extend(about)
    return found


def _note(text):
    console.print(f"[bold yellow]Note[/] {escape(text)}")


def _name(row):
    return f"{row.model}-{row.precision}" if row.precision else row.model


def _accuracy(row):
    if row.accuracy is None:
        return "-"
    low, high = (100 * bound for bound in row.accuracy.ci95)
    return f"{100 * row.accuracy.value:.1f} ({low:.1f}-{high:.1f})"


def _memory(row):
    of = row.measurement
    if of.arena_bytes is not None:
        return f"{of.arena_bytes / 1000:,.1f} kB"
    if of.peak_memory_bytes is not None:
        return f"{of.peak_memory_bytes / 1e6:,.1f} MB"
    return "-"


def _ms(milliseconds):
    if milliseconds is None:
        return "-"
    return f"{milliseconds:,.2f}" if milliseconds >= 1 else f"{milliseconds:.4f}"


_COLUMNS = {
    "file": _name,
    "kB": lambda row: f"{row.size_bytes / 1000:,.1f}",
    "accuracy, %": _accuracy,
    "p50 ms": lambda row: _ms(row.measurement.p50_ms),
    "p90 ms": lambda row: _ms(row.measurement.p90_ms),
    "memory": _memory,
}

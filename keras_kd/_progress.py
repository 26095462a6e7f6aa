"""How far long work has come, on the terminal."""

import contextlib

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


@contextlib.contextmanager
def shown(title, *, total, done, show):
    """A bar with the rate and the time left, for as long as the context is open.

    Args:
        title: str.
        total: int, all there is to do, or the most that there may be.
        done: int, what was done before.
        show: bool, False for no bar.

    Yields:
        A function of the number that was done since the last call, and of `note`, a
        str to show beside the bar.
    """
    if not show:
        yield lambda number, *, note="": None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(title, total=total, completed=done, note="")

        def advance(number, *, note=""):
            bar.update(task, advance=number, note=note)

        yield advance
        bar.update(task, total=bar.tasks[0].completed)


class _Rate(ProgressColumn):
    """Steps a second, or the seconds of each."""

    def render(self, task):
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:,.0f}/s" if speed >= 1 else f"{1 / speed:.1f} s each")

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
        total: int, all there is to do.
        done: int, what was done before.
        show: bool, False for no bar.

    Yields:
        A function of the number that was done since the last call.
    """
    if not show:
        yield lambda number: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(title, total=total, completed=done)
        yield lambda number: bar.advance(task, number)


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task):
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")

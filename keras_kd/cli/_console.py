"""What every command shares: the screen, quiet libraries, one line for an error."""

import contextlib
import os
import sys

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def silence_native_logs():
    """Hides what TensorFlow and LiteRT write to stderr from C++ code.

    Python's own stderr, with warnings and tracebacks, stays where it was.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.suppress(OSError, ValueError):
        python_stderr = os.fdopen(os.dup(2), "w", buffering=1)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        sys.stderr = python_stderr


def progress():
    """A display of long work: what, a bar, steps done, time so far, a note."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def new_table(title, *columns):
    """A table in the house's look; the first column is text, the others are numbers."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for number, heading in enumerate(columns):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def fail(message, *, code=2):
    """Prints one line to stderr and ends the program.

    Args:
        message: what to say.
        code: int, the exit code: 2 for input that cannot be used.
    """
    show_error(message)
    raise SystemExit(code)


def show_error(message):
    """Prints one line to stderr.

    Args:
        message: what to say.
    """
    errors.print(f"[bold red]Error[/] {_plain(message)}", soft_wrap=True)


def _plain(message):
    # Square brackets in a message are shapes and lists, not rich's markup.
    return " ".join(str(message).split()).replace("[", r"\[")

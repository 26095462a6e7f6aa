"""`keras-kd benchmark`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from keras_kd.cli._console import console


def command(
    tflite: Annotated[list[Path], typer.Argument(help="One or more .tflite files.")],
    target: Annotated[str, typer.Option(help="Where to run them.")] = "host",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    runs: Annotated[int, typer.Option(help="Timed runs.")] = 200,
    warmup: Annotated[int, typer.Option(help="Runs before them.")] = 20,
):
    """Time .tflite files, one example at a time."""
    from keras_kd.benchmark import measure

    rows = Table("File", title_justify="left")
    for heading in ("load ms", "p50 ms", "p90 ms", "p99 ms"):
        rows.add_column(heading, justify="right")
    for path in tflite:
        latency = measure(
            path, target=target, threads=threads, runs=runs, warmup=warmup
        )
        rows.add_row(
            path.name,
            f"{latency.init_ms:.2f}",
            f"{latency.p50_ms:.4f}",
            f"{latency.p90_ms:.4f}",
            f"{latency.p99_ms:.4f}",
        )
    rows.title = f"{latency.measured_on}: {latency.machine}, {threads} thread(s)"
    console.print(rows)


command.__name__ = "benchmark"

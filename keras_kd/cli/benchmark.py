"""`keras-kd benchmark`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli._console import console, new_table


def command(
    tflite: Annotated[list[Path], typer.Argument(help="One or more .tflite files.")],
    target: Annotated[str, typer.Option(help="Where to run them.")] = "host",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    runs: Annotated[int, typer.Option(help="Timed runs.")] = 200,
    warmup: Annotated[int, typer.Option(help="Runs before them.")] = 20,
):
    """Time .tflite files, one example at a time."""
    from keras_kd.benchmark import measure

    rows = new_table(None, "file", "load ms", "p50 ms", "p90 ms", "p99 ms")
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
    threads_used = "1 thread" if threads == 1 else f"{threads} threads"
    rows.title = f"{latency.measured_on} ({latency.machine}), {threads_used}"
    console.print(rows)


command.__name__ = "benchmark"

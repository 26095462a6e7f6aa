"""`keras-kd benchmark`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd._checks import invalid
from keras_kd.cli import _benchmark_tables as tables
from keras_kd.cli._console import console, progress, show_error
from keras_kd.cli._files import image_size as parse_image_size
from keras_kd.cli._files import output_folder

WHERE = "keras-kd benchmark"


def command(
    tflite: Annotated[list[Path], typer.Argument(help="One or more .tflite files.")],
    target: Annotated[
        str,
        typer.Option(
            help="Where to run them, with commas between: host, linux, ssh:user@board, "
            "android, browser, microcontroller, aarch64, cortex-m4."
        ),
    ] = "host",
    data: Annotated[
        str | None, typer.Option(help="Score on its test part, on each target.")
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(min=1, help="Of the test part only so many, at random."),
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to 96 or 96x128 pixels.")
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    runs: Annotated[int, typer.Option(help="Timed runs.")] = 200,
    warmup: Annotated[int, typer.Option(help="Runs before them.")] = 20,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=5, help="Also time the files in turn, so often, and compare them."
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Time each operation, where one can.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a table as JSON and CSV, a picture.")
    ] = None,
):
    """Run .tflite files where they will live; exit code 2 if a target fails."""
    if rounds is not None and len(tflite) < 2:
        raise invalid(WHERE, "two files with --rounds", "one", "Name another file.")
    from keras_kd.benchmark import table_of

    targets = list(dict.fromkeys(name.strip() for name in target.split(",")))
    numbers = {"threads": threads, "runs": runs, "warmup": warmup}
    folder = None if out is None else output_folder(out)
    scored_on = None if data is None else _test_part(data, image_size, examples)
    with progress() as bar:
        task = bar.add_task("Runs", total=len(tflite) * len(targets), note="")
        table = table_of(
            tflite,
            targets=targets,
            data=scored_on,
            profile=profile,
            report=_Advance(bar, task),
            **numbers,
        )
        bar.update(task, completed=len(tflite) * len(targets), note="")
    title = scored_on and f"Scored on {len(scored_on[1])} test examples of {data}"
    tables.show(table, title)
    failures = [row.failure for row in table.rows if row.failure]
    compared = []
    if rounds is not None:
        compared, failed = _compared(table, rounds, numbers)
        failures += failed
    if folder is not None:
        _write(folder, table, compared)
    for failure in dict.fromkeys(failures):
        show_error(failure)
    if failures:
        raise SystemExit(2)


class _Advance:
    """Shows what runs next on a bar; what ran before it is done."""

    def __init__(self, bar, task):
        self.bar, self.task, self.started = bar, task, 0

    def __call__(self, what):
        self.bar.update(self.task, completed=self.started, note=what)
        self.started += 1


def _test_part(data, image_size, examples):
    import numpy as np

    from keras_kd.data import load

    x, y = load(data, image_size=parse_image_size(image_size)).test.arrays()
    if examples is None or examples >= len(x):
        return x, y
    # At random: folders have their classes one after the other.
    chosen = np.sort(np.random.default_rng(0).permutation(len(x))[:examples])
    return x[chosen], y[chosen]


def _compared(table, rounds, numbers):
    """Times files in turn, and shows how they relate, where two gave times.

    Returns:
        A list of `Comparison`, and a list of what failed, str.
    """
    from keras_kd.benchmark import DeviceError, compare

    timed = {}
    for row in table.rows:
        if row.measurement is not None and row.measurement.p50_ms is not None:
            # A dict, because an Android device has several rows for a file.
            timed.setdefault(row.target, {})[row.file] = None
    compared, failed = [], []
    for target, paths in timed.items():
        if len(paths) < 2:
            continue
        try:
            result = compare(list(paths), target=target, rounds=rounds, **numbers)
        except DeviceError as error:
            failed.append(str(error))
            continue
        tables.show_comparison(result)
        compared.append(result)
    return compared, failed


def _write(folder, table, compared):
    from dataclasses import asdict

    from keras_kd._files import write_json, written_whole
    from keras_kd.benchmark import figure_of

    written = ["benchmark.json", "benchmark.csv"]
    table.write_json(folder / written[0])
    table.write_csv(folder / written[1])
    if any(row.accuracy is not None for row in table.rows):
        written.append("benchmark.png")
        with written_whole(folder / written[-1]) as (path,):
            figure_of(table).savefig(path, dpi=150)
    if compared:
        written.append("comparison.json")
        write_json(folder / written[-1], [asdict(one) for one in compared])
    console.print(f"Written to {folder}/: {', '.join(written)}", soft_wrap=True)


command.__name__ = "benchmark"

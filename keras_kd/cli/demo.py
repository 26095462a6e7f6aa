"""`keras-kd demo`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli import _results
from keras_kd.cli._console import console, progress
from keras_kd.cli._files import output_folder


def command(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Of weights, shuffling and labels.")] = 0,
):
    """Train a teacher on digits, distil a student, export and measure it."""
    from keras_kd.cli._demo_run import DemoRun
    from keras_kd.report import write_report

    folder = output_folder(out)
    with progress() as bar:
        run = DemoRun(folder, seed=seed, bar=bar)
        trained = run.train()
        files = run.export()
    rows = trained + files
    _results.write(folder / "results.json", rows, seed=seed, few_labels=run.few_labels)
    page = write_report(folder, folder / "report.html", data="digits", seed=seed)
    console.print()
    console.print(_results.table("Keras models, on the test part of digits", trained))
    console.print(_results.table(f"Files, timed on {files[0].measured_on}", files))
    console.print(_summary(trained, files))
    console.print(f"Everything is in {folder}, the numbers in results.json there.")
    console.print(f"Open {page} to see what was transferred.")


def _summary(trained, files):
    teacher, scratch, student, few_scratch, few = trained
    int8 = next(
        row for row in files if row.precision == "int8" and row.params < teacher.params
    )
    ratio, kept = teacher.params / student.params, student.accuracy / teacher.accuracy
    return (
        f"The distilled student has {ratio:.0f}x fewer weights than its teacher and "
        f"keeps {kept:.1%} of its accuracy: {student.accuracy:.1%}, against "
        f"{scratch.accuracy:.1%} from labels alone. With {few.labels} labels and the "
        f"other images unlabelled it reaches {few.accuracy:.1%}; from the {few.labels} "
        f"labels alone, {few_scratch.accuracy:.1%}. As an int8 file it takes "
        f"{int8.size_bytes / 1000:.1f} kB and is {int8.accuracy:.1%} accurate.\n"
    )


command.__name__ = "demo"

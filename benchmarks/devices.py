"""Whether a student answers the same everywhere, and what it takes there.

The teacher and two students of about 1/10 of its weights (from labels alone, and
distilled from the teacher's channels; those of `student_sizes.py`, trained here if they
are not in --runs) are written as float32 and int8 and run on every target: test images
in, classes out, compared with those of the same file on the host. Browsers take no
int8 inputs, so there the int8 file has float ones. Times of emulators are not given.

Run: python benchmarks/devices.py [--data NAME] [--targets host …]
"""

import argparse
import json
from pathlib import Path

import numpy as np
from _devices_table import table
from _student_sizes_runs import Runs

from keras_kd._files import write_json, written_whole
from keras_kd.benchmark import BenchmarkTable, DeviceError, figure_of, table_of
from keras_kd.data import load
from keras_kd.export import convert

ROOT = Path(__file__).parent
SIZE = "1/10"
TARGETS = ("host", "linux", "browser", "aarch64", "microcontroller", "cortex-m4")
_INT8_ONLY = ("cortex-m4",)


def main():
    """Runs, prints, and writes the result file and the figure of the data set."""
    options = _options()
    data = load(options.data)
    source, _, place = options.data.partition(":")
    name = Path(place).name if source in ("folder", "npz") else options.data
    folder = options.runs / name
    files = written(Runs(data, folder), folder / "files")
    x, y = data.test.arrays()
    chosen = np.random.default_rng(0).permutation(len(x))[: options.examples]
    part = x[chosen], y[chosen]
    rows, tables = [], []
    for target in options.targets:
        found = table_of(_files_for(target, files), targets=[target], data=part)
        tables.append(found)
        rows += [_plain(row) for row in found.rows]
    compared = with_agreement(rows)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "devices.json"
    results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    results[name] = {"examples": len(part[1]), "rows": compared}
    write_json(path, results)
    print("\n".join(table(results[name])))
    whole = BenchmarkTable(tuple(row for one in tables for row in one.rows))
    with written_whole(options.out / f"devices_{name}.png") as (picture,):
        figure_of(whole).savefig(picture, dpi=150, format="png")


def written(runs, folder):
    """A dict of model name to dict of precision to path of its file."""
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "teacher": runs.teacher,
        "scratch": runs.student(SIZE, "scratch", 0),
        "distilled": runs.student(SIZE, "distilled_from_teacher_weights", 0),
    }
    files = {}
    for name, model in models.items():
        for kind in ("float32", "int8", "int8_float_io"):
            path = folder / f"{name}-{kind}.tflite"
            convert(
                model,
                path,
                precision=kind.removesuffix("_float_io"),
                float_io=kind == "int8_float_io",
                calibration_data=runs.data.train,
            )
            files.setdefault(name, {})[kind] = path
    return files


def with_agreement(rows):
    """The rows with the share of classes that are those of the host; no outputs.

    Where they differ, "largest_gap" is by how much the host preferred its own class, in
    what the file stores: kernels round sums of integers in more than one way.
    """
    hosts = {_file(row): row["outputs"] for row in rows if row["target"] == "host"}
    found = []
    for row in rows:
        host = hosts[_file(row)].astype("float64")
        classes, expected = row["outputs"].argmax(-1), host.argmax(-1)
        each = np.arange(len(host))
        gaps = host[each, expected] - host[each, classes]
        row = {
            **row,
            "same_class_as_host": float(np.mean(classes == expected)),
            "largest_gap": float(gaps.max()),
        }
        del row["outputs"]
        found.append(row)
    return found


def _file(row):
    return row["model"], row["precision"]


def _files_for(target, files):
    """The files that a target takes."""
    integer = "int8_float_io" if target == "browser" else "int8"
    kinds = [integer] if target in _INT8_ONLY else ["float32", integer]
    return [by_kind[kind] for by_kind in files.values() for kind in kinds]


def _plain(row):
    """A row as JSON can hold it, and what the target answered."""
    if row.failure:
        raise DeviceError(row.failure)
    one = row.measurement
    return {
        # A file with float inputs is told by its name, not by its precision.
        "model": row.model.removesuffix("-int8_float_io"),
        "precision": row.precision,
        "target": row.target,
        "measured_on": one.measured_on,
        "is_emulated": one.is_emulated,
        "size_bytes": row.size_bytes,
        "accuracy": row.accuracy.value,
        "accuracy_ci95": list(row.accuracy.ci95),
        "p50_ms": one.p50_ms,
        "p90_ms": one.p90_ms,
        "peak_memory_bytes": one.peak_memory_bytes,
        "arena_bytes": one.arena_bytes,
        "instructions": one.instructions,
        "load": one.load,
        "outputs": one.outputs,
    }


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="see keras_kd.data.load")
    parser.add_argument("--targets", nargs="+", default=TARGETS, help="host first")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--runs", type=Path, default=Path("runs/student_sizes"))
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    return parser.parse_args()


if __name__ == "__main__":
    main()

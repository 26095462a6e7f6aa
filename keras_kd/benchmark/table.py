"""Files of several models and precisions, each on every target, in one table."""

import csv
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from keras_kd._checks import InvalidInputError, invalid
from keras_kd._files import write_json, written_whole
from keras_kd.benchmark.measure import check_request, requested, with_doubts
from keras_kd.benchmark.measurement import DeviceError, Measurement
from keras_kd.data import Split
from keras_kd.export import Accuracy, accuracy, decide
from keras_kd.export.manifest import versions
from keras_kd.export.metadata import read_description
from keras_kd.outputs.litert import dequantise, open_interpreter

WHERE = "keras_kd.benchmark.table_of"


@dataclass(frozen=True)
class BenchmarkRow:
    """One file on one target.

    Attributes:
        model: str, the file's name without its precision.
        precision: str, of the manifest beside the file; "" if there is none.
        file: str, the file's path, as given.
        size_bytes: int, of the file.
        target: str, see `measure`.
        measurement: `Measurement`, or None if the target failed.
        accuracy: `Accuracy` of what the target answered, or None without data, or if
            the target gives no outputs.
        failure: str, why the target failed, or None.
    """

    model: str
    precision: str
    file: str
    size_bytes: int
    target: str
    measurement: Measurement | None = None
    accuracy: Accuracy | None = None
    failure: str | None = None


@dataclass(frozen=True)
class BenchmarkTable:
    """Files on targets: size, accuracy there, times and memory.

    Attributes:
        rows: tuple of `BenchmarkRow`, target by target.
    """

    rows: tuple[BenchmarkRow, ...]

    def write_csv(self, path):
        """Writes the rows, without operations, as CSV; see `write_json`."""
        rows = [_flat(row) for row in self.rows]
        for row in rows:
            del row["operations"]
            row["warnings"] = "; ".join(row["warnings"])
        with (
            written_whole(path) as (temporary,),
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    def write_json(self, path):
        """Writes the rows, and the versions of the packages, whole or not at all."""
        rows = [_flat(row) for row in self.rows]
        write_json(path, {"rows": rows, "versions": versions()})


def table_of(
    paths,
    *,
    targets=("host",),
    data=None,
    threads=1,
    runs=200,
    warmup=20,
    profile=False,
    report=None,
):
    """Runs every file on every target.

    A target that fails does not keep the others from running.

    Args:
        paths: list of `str` or `Path`, such as "teacher-float32.tflite" and
            "student-int8.tflite"; the precision is that of the manifest beside each.
        targets: list of str, see `measure`.
        data: None, or what to score the files on: a `keras_kd.data.Split` or `(x, y)`
            arrays, inputs as the Keras model takes them, labels as class numbers.
        threads: int > 0.
        runs: int > 0, timed runs.
        warmup: int ≥ 0, runs before them that do not count.
        profile: bool, whether to time each operation too, where a target can.
        report: None, or a function that is told what runs next, a str.

    Returns:
        A `BenchmarkTable`. An Android device has a row for each of its accelerators.

    Raises:
        ValueError: A file, a target or an argument cannot be used.

    Example:
        `table_of(["student-int8.tflite"], targets=["host", "browser"], data=test)`
    """
    options = {"threads": threads, "runs": runs, "warmup": warmup}
    examples, labels = (None, None) if data is None else _arrays(data)
    paths = [Path(path) for path in paths]
    modules = _checked(paths, targets, options)
    files = list(zip(paths, _described(paths), strict=True))
    rows = []
    for target, module in modules.items():
        for path, file in files:
            if report is not None:
                report(f"{path.name} on {target}")
            about = {**file, "target": target}
            asked = requested(path, target, examples, profile=profile, **options)
            with asked as request:
                try:
                    found = _every_measurement(module, request)
                except (DeviceError, InvalidInputError) as error:
                    rows.append(BenchmarkRow(**about, failure=str(error)))
                    continue
            for one in found:
                score = _accuracy(path, one.outputs, labels)
                rows.append(BenchmarkRow(**about, measurement=one, accuracy=score))
    return BenchmarkTable(tuple(rows))


def _checked(paths, targets, options):
    """A dict of target to its module, if all can be used."""
    for name, values in (("file", paths), ("target", targets)):
        if not values:
            raise invalid(WHERE, f"one or more {name}s", "none", f"Name a {name}.")
    modules = {}
    for target in targets:
        for path in paths:
            modules[target] = check_request(path, target, **options)
    return modules


def _every_measurement(module, request):
    # An Android device has several accelerators.
    run_variants = getattr(module, "run_variants", None)
    found = run_variants(request) if run_variants else [module.run(request)]
    return [with_doubts(one, request) for one in found]


def _described(paths):
    """What is known of each file for its `BenchmarkRow`, a list of dict."""
    precisions = [_precision(path) for path in paths]
    names = [
        (path.stem.removesuffix(f"-{precision}"), precision)
        for path, precision in zip(paths, precisions, strict=True)
    ]
    files = []
    for path, (model, precision) in zip(paths, names, strict=True):
        if names.count((model, precision)) > 1:
            model = f"{path.absolute().parent.name}/{model}"
        files.append(
            {
                "model": model,
                "precision": precision,
                "file": str(path),
                "size_bytes": path.stat().st_size,
            }
        )
    return files


def _precision(path):
    try:
        manifest = json.loads(path.with_suffix(".json").read_text("utf-8"))
        # One that belongs to an earlier file of that name says nothing.
        known = manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        return manifest["precision"] if known else ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def _arrays(data):
    x, y = data.arrays() if isinstance(data, Split) else map(np.asarray, data)
    if not len(x) or y.shape != (len(x),):
        raise invalid(
            WHERE,
            "data (x, y) with one class number for each example",
            f"arrays of shape {x.shape} and {y.shape}",
            "Pass labelled examples, such as data.test.",
        )
    return x, y


def _accuracy(path, outputs, labels):
    if outputs is None or labels is None:
        return None
    details = open_interpreter(WHERE, path).get_output_details()[0]
    description = read_description(path)
    kind = description.output_kind if description else "unknown"
    return accuracy(decide(dequantise(outputs, details), kind), labels)


def _flat(row):
    """The row as a dict of plain values, in the order of the columns."""
    low, high = row.accuracy.ci95 if row.accuracy else (None, None)
    flat = {
        "model": row.model,
        "precision": row.precision,
        "file": row.file,
        "size_bytes": row.size_bytes,
        "target": row.target,
        "accuracy": row.accuracy and row.accuracy.value,
        "accuracy_ci95_low": low,
        "accuracy_ci95_high": high,
        "examples": row.accuracy and row.accuracy.examples,
    }
    for field in fields(Measurement):
        if field.name not in ("target", "outputs"):
            flat[field.name] = getattr(row.measurement, field.name, None)
    flat["operations"] = [asdict(one) for one in flat["operations"] or ()]
    flat["warnings"] = list(flat["warnings"] or ())
    return flat | {"failure": row.failure}

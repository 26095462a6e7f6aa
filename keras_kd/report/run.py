"""What lies in the folder of a run."""

import csv
import dataclasses
import json
import types
from dataclasses import dataclass
from pathlib import Path

from keras_kd._checks import invalid, is_number

_FILES = {
    "teacher": ("teacher.keras",),
    "student": ("distilled.keras", "student.keras"),
    "scratch": ("scratch.keras",),
}
_WITHOUT = {
    "teacher": "No teacher.keras in the folder: name the teacher's file (--teacher).",
    "student": "No student.keras or distilled.keras in the folder.",
    "scratch": "No scratch.keras in the folder, the same student trained without the "
    "teacher: what the teacher changed cannot be told.",
}


@dataclass(frozen=True)
class ResultRow:
    """One model or file of a run, as `results.json` has it.

    Attributes:
        run: str, the name of the run's folder.
        name: str, for a person.
        kind: "teacher", "scratch", "distilled" or "tflite".
        precision: str, of the weights.
        params: int, weights of the Keras model.
        size_bytes: int, of the file, or of the model's weights.
        labels: int, how many labelled examples it learnt from.
        accuracy: float in [0, 1], on the test part.
        accuracy_ci95: `(low, high)`.
        teacher_agreement: float in [0, 1], or None.
        keras_agreement: float in [0, 1], of a file with its Keras model; or None.
        latency_ms: dict of "p50" and "p90", or None.
        measured_on: str, the device of the latency, or None.

    Example:
        `[row for row in read_run("runs/demo").rows if row.kind == "tflite"]`
    """

    run: str
    name: str
    kind: str
    precision: str
    params: int
    size_bytes: int
    labels: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    teacher_agreement: float | None = None
    keras_agreement: float | None = None
    latency_ms: dict[str, float] | None = None
    measured_on: str | None = None


@dataclass(frozen=True)
class Run:
    """A run's folder, as far as it can be read.

    Attributes:
        name: str, of the folder.
        folder: `Path`.
        rows: tuple of `ResultRow`; empty without results.
        settings: dict of what the run was told; empty if it did not say.
        versions: dict of package to version; empty if it did not say.
        seed: int or None.
        models: dict of "teacher", "student", "scratch" to `Path`; of those there are.
        files: tuple of dicts, the manifests of the .tflite files.
        histories: dict of name to dict of lists, the .csv files that
            `keras.callbacks.CSVLogger` wrote.
        missing: tuple of str, sentences about what is not there or not readable.

    Example:
        `read_run("runs/demo").missing`
    """

    name: str
    folder: Path
    rows: tuple
    settings: dict
    versions: dict
    seed: int | None
    models: dict
    files: tuple
    histories: dict
    missing: tuple[str, ...]

    def row(self, kind):
        """The first row of a kind, or None."""
        return next((row for row in self.rows if row.kind == kind), None)


def read_run(folder):
    """Reads a folder as `keras-kd demo` and `keras-kd distill` write it.

    Args:
        folder: `str` or `Path`. What is missing in it is named in `Run.missing`.

    Returns:
        A `Run`.

    Raises:
        ValueError: There is no such folder, or nothing of a run is in it.

    Example:
        `[row.accuracy for row in read_run("runs/demo").rows]`
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise _no_run(folder, "no such folder")
    name = folder.resolve().name
    missing = []
    results = _json(folder / "results.json", missing)
    rows = _rows(results, name, missing)
    models = {
        role: found[0]
        for role, names in _FILES.items()
        if (found := [folder / one for one in names if (folder / one).is_file()])
    }
    tflite = sorted(folder.glob("*.tflite"))
    if not rows and not models and not tflite:
        raise _no_run(folder, "nothing of a run in it")
    files = [_json(path.with_suffix(".json"), missing) for path in tflite]
    if not tflite:
        missing.append("No .tflite file: nothing was exported here.")
    missing += [said for role, said in _WITHOUT.items() if role not in models]
    return Run(
        name=name,
        folder=folder,
        rows=rows,
        settings=_dict(results.get("settings")),
        versions=_dict(results.get("versions")),
        seed=results.get("seed"),
        models=models,
        files=tuple(file for file in files if file),
        histories=_histories(folder),
        missing=tuple(missing),
    )


def _no_run(folder, got):
    return invalid(
        "keras_kd.report",
        "the folder of a run, with results.json, .keras or .tflite files",
        f'"{folder}" ({got})',
        "Name the folder that --out of keras-kd demo or distill was given.",
    )


def _json(path, missing):
    """The dict in a JSON file; empty, and a sentence in `missing`, if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        missing.append(f"No {path.name}.")
        return {}
    except (OSError, ValueError) as error:
        missing.append(f"{path.name} cannot be read: {error}.")
        return {}
    return _dict(content)


def _dict(value):
    return value if isinstance(value, dict) else {}


def _rows(results, run, missing):
    rows = results.get("rows", [])
    known = {field.name: field for field in dataclasses.fields(ResultRow)}
    result = []
    for row in rows if isinstance(rows, list) else []:
        given = {key: value for key, value in _dict(row).items() if key in known}
        given["run"] = run
        if all(_fits(field, given.get(name)) for name, field in known.items()):
            result.append(ResultRow(**given))
        else:
            missing.append("A row of results.json is not complete and was left out.")
    return tuple(result)


def _fits(field, value):
    """Whether a value from JSON is what a field of `ResultRow` holds."""
    if value is None:
        return field.default is None
    if field.name == "accuracy_ci95":
        return (
            isinstance(value, list) and len(value) == 2 and all(map(is_number, value))
        )
    if field.name == "latency_ms":
        return isinstance(value, dict) and is_number(value.get("p50"))
    types_ = field.type.__args__ if isinstance(field.type, types.UnionType) else ()
    if str in (field.type, *types_):
        return isinstance(value, str)
    return is_number(value)


def _histories(folder):
    histories = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            lines = list(csv.DictReader(file))
        if lines and {"epoch", "loss"} <= lines[0].keys():
            histories[path.stem] = {
                key: values for key in lines[0] if (values := _numbers(lines, key))
            }
    return {name: one for name, one in histories.items() if "loss" in one}


def _numbers(lines, key):
    """A column as floats; none if it is not all numbers."""
    try:
        return [float(line[key]) for line in lines]
    except (TypeError, ValueError):
        return []

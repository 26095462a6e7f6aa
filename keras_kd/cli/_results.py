"""The rows of a run: measured, shown as a table, written as JSON."""

from dataclasses import asdict, dataclass

import numpy as np

from keras_kd._files import write_json
from keras_kd.cli._console import new_table


@dataclass(frozen=True)
class Row:
    """One model or file, as measured on the test part.

    Attributes:
        name: str, for a person.
        kind: "teacher", "scratch", "distilled" or "tflite".
        precision: str, of the weights.
        params: int, weights of the Keras model.
        size_bytes: int, of the .tflite file; for a Keras model, of its weights.
        labels: int, how many labelled examples it learnt from.
        accuracy: float in [0, 1].
        accuracy_ci95: `(low, high)`.
        teacher_agreement: float in [0, 1]: the same class as the teacher; None where
            only its soft targets are there.
        keras_agreement: float in [0, 1], of a file with its Keras model; or None.
        latency_ms: dict of "p50" and "p90", or None.
        measured_on: str, the device of the latency, or None.
    """

    name: str
    kind: str
    precision: str
    params: int
    size_bytes: int
    labels: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    teacher_agreement: float | None
    keras_agreement: float | None = None
    latency_ms: dict[str, float] | None = None
    measured_on: str | None = None


def keras_row(name, kind, model, teacher, x, y, *, labels):
    """Measures a Keras model; `teacher` is one too, or None."""
    from keras_kd.export import accuracy

    chosen = _classes(model, x)
    theirs = None if teacher is None else _classes(teacher, x)
    score = accuracy(chosen, y)
    return Row(
        name=name,
        kind=kind,
        precision="float32",
        params=model.count_params(),
        size_bytes=sum(weight.value.numpy().nbytes for weight in model.weights),
        labels=labels,
        accuracy=score.value,
        accuracy_ci95=score.ci95,
        teacher_agreement=None if theirs is None else float(np.mean(chosen == theirs)),
    )


def tflite_row(name, manifest, path, model, teacher, x, y, *, labels, latency):
    """Scores a .tflite file here; `latency` is its `Measurement`, or None."""
    from keras_kd.export import LiteRtModel, decide, verify
    from keras_kd.outputs import find_head

    verified = verify(path, model, (x, y))
    chosen = decide(LiteRtModel(path)(x), find_head(model).activation)
    return Row(
        name=name,
        kind="tflite",
        precision=manifest.precision,
        params=manifest.params,
        size_bytes=manifest.size_bytes,
        labels=labels,
        accuracy=verified.accuracy,
        accuracy_ci95=verified.accuracy_ci95,
        teacher_agreement=float(np.mean(chosen == _classes(teacher, x))),
        keras_agreement=verified.keras_agreement,
        latency_ms=latency and {"p50": latency.p50_ms, "p90": latency.p90_ms},
        measured_on=latency and latency.measured_on,
    )


def write(path, rows, *, seed, **more):
    """Writes `results.json`, whole or not at all."""
    from keras_kd.export.manifest import versions

    rows = [asdict(row) for row in rows]
    write_json(path, {"rows": rows, "versions": versions(), "seed": seed, **more})


def table(title, rows):
    """The rows as a table for the terminal, at most 80 characters wide."""
    columns = _FILE_COLUMNS if rows[0].kind == "tflite" else _MODEL_COLUMNS
    result = new_table(title, *columns)
    for row in rows:
        result.add_row(*(cell(row) for cell in columns.values()))
    return result


_SCORES = {
    "kB": lambda row: f"{row.size_bytes / 1000:,.1f}",
    "accuracy": lambda row: f"{row.accuracy:.1%}",
    "95 % CI": lambda row: "{:.1f}-{:.1f}".format(
        *(100 * x for x in row.accuracy_ci95)
    ),
}
_MODEL_COLUMNS = {
    "model": lambda row: row.name,
    "weights": lambda row: f"{row.params:,}",
    **_SCORES,
    "as teacher": lambda row: (
        "-" if row.teacher_agreement is None else f"{row.teacher_agreement:.1%}"
    ),
}
_FILE_COLUMNS = {
    "file": lambda row: row.name,
    **_SCORES,
    "as Keras": lambda row: f"{row.keras_agreement:.1%}",
    "p50 ms": lambda row: f"{row.latency_ms['p50']:.4f}",
}


def _classes(model, x):
    from keras_kd.export import decide
    from keras_kd.outputs import find_head

    return decide(model.predict(x, verbose=0), find_head(model).activation)

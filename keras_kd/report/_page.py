"""The page: what it shows, and its HTML."""

from dataclasses import dataclass

from markupsafe import Markup

from keras_kd import __version__, _figures
from keras_kd.report import _reproduce, _sentences
from keras_kd.report.curves import learning_curves
from keras_kd.report.tradeoffs import accuracy_by_latency, accuracy_by_size

_MOST_PICTURE_BYTES = 1_000_000
_COLUMNS = (
    "weights",
    "size",
    "accuracy",
    "as teacher",
    "as Keras",
    "latency",
    "labels",
)


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes:
        content: `Markup`, an SVG or img element.
        caption: str.
        is_wide: bool, whether it takes the width of two.
    """

    content: Markup
    caption: str = ""
    is_wide: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: str.
        text: list of str, sentences.
        figures: list of `Picture`.
    """

    title: str
    text: list
    figures: list


class Album:
    """Turns figures into pictures, each with a name of its own."""

    def __init__(self):
        self._count = 0

    def picture(self, figure, caption, *, alt, is_wide=False):
        """A `Picture` of a `matplotlib.figure.Figure`; `alt` for those who hear it."""
        self._count += 1
        text = _figures.svg(figure, f"f{self._count}")
        opening = Markup('<svg role="img" aria-label="{}"').format(alt)
        # The text is matplotlib's, which escapes what it is given.
        content = Markup(text.replace("<svg", str(opening), 1))
        return Picture(content, caption, is_wide)


def html(runs, sections, missing, album):
    """The page as a str.

    Args:
        runs: list of `Run`, names distinct.
        sections: list of lists of `Section`, of each run's models.
        missing: list of lists of str, what could not be shown of them.
        album: `Album` that made their pictures.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("keras_kd.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
    )
    several = len(runs) > 1
    lead = _sentences.compared(runs) if several else _sentences.summary(runs[0])
    return environment.get_template("page.html.jinja").render(
        title=_title(runs),
        lead=lead,
        comparison=_comparison(runs, album) if several else None,
        columns=_COLUMNS,
        runs=[
            _run(run, some, more, album, is_compared=several)
            for run, some, more in zip(runs, sections, missing, strict=True)
        ],
        version=__version__,
    )


def _title(runs):
    if len(runs) == 1:
        return _sentences.headline(runs[0])
    return f"{len(runs)} runs compared"


def _run(run, sections, missing, album, *, is_compared):
    """What the template shows of a run: a dict."""
    return {
        "name": run.name,
        "summary": _sentences.summary(run),
        "tiles": _sentences.figures(run),
        "rows": [_row(row, row.name) for row in run.rows],
        "sections": [*_drawn(run, album, is_compared=is_compared), *sections],
        "measured": _measured(run),
        "files": [_file(file) for file in run.files],
        "command": _reproduce.command(run),
        "settings": _settings(run),
        "missing": _without(run) + missing,
    }


def _comparison(runs, album):
    rows = [row for run in runs for row in run.rows]
    return {
        "rows": [_row(row, f"{row.run}: {row.name}") for row in rows],
        "figures": _tradeoffs(rows, album),
    }


def _row(row, name):
    agreed = (row.teacher_agreement, row.keras_agreement)
    latency = row.latency_ms and row.latency_ms["p50"]
    low, high = (100 * bound for bound in row.accuracy_ci95)
    texts = [
        (f"{row.params:,}", ""),
        (_sentences.size(row.size_bytes), row.precision),
        (f"{row.accuracy:.1%}", f"{low:.1f}–{high:.1f}"),
        *(("" if share is None else f"{share:.1%}", "") for share in agreed),
        ("" if latency is None else _sentences.time(latency), ""),
        (f"{row.labels:,}" if row.labels else "", ""),
    ]
    cells = [{"text": text, "note": note} for text, note in texts]
    return {"name": name, "cells": cells, "is_student": row.kind == "distilled"}


def _drawn(run, album, *, is_compared):
    """Sections of figures that need the numbers alone."""
    sections = []
    if run.rows and not is_compared:
        text = ["Up is more accurate, left is cheaper. The bars are 95 % intervals."]
        sections.append(
            Section("What accuracy costs", text, _tradeoffs(run.rows, album))
        )
    if run.histories:
        curves = {
            name: run.histories[name] for name in sorted(run.histories, key=_rank)
        }
        picture = album.picture(
            learning_curves(curves), "", alt="Learning curves", is_wide=True
        )
        text = [
            "The loss of a student with a teacher has a term for the teacher, and is "
            "not to be compared with a loss of labels alone."
        ]
        sections.append(Section("Learning curves", text, [picture]))
    budget = _budget(run)
    if budget is not None:
        text = ["Students that were measured before one was chosen and trained."]
        sections.append(Section("The search for the student", text, [budget]))
    return sections


def _rank(name):
    """Where the curves of a model stand, so that its colour is that of other plots."""
    first = ("teacher", "distilled", "scratch")
    return (first.index(name) if name in first else len(first), name)


def _tradeoffs(rows, album):
    pictures = []
    if rows:
        pictures.append(
            album.picture(accuracy_by_size(rows), "", alt="Accuracy against size")
        )
    if any(row.latency_ms is not None for row in rows):
        pictures.append(
            album.picture(accuracy_by_latency(rows), "", alt="Accuracy against latency")
        )
    return pictures


def _budget(run):
    import base64

    path = run.folder / "budget.png"
    if not path.is_file() or path.stat().st_size > _MOST_PICTURE_BYTES:
        return None
    content = path.read_bytes()
    if not content.startswith(b"\x89PNG"):
        return None
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    image = '<img src="{}" alt="Costs of the students that were tried">'
    return Picture(Markup(image).format(source), "", is_wide=True)


def _without(run):
    """What is not in the folder: a list of str."""
    missing = list(run.missing)
    if not run.histories:
        missing.append(
            "No learning curves: the run kept no file of keras.callbacks.CSVLogger."
        )
    if run.rows and all(row.latency_ms is None for row in run.rows):
        missing.append("No latency: nothing was timed.")
    return missing


def _measured(run):
    devices = dict.fromkeys(row.measured_on for row in run.rows if row.measured_on)
    said = [
        f"Latency: median of one example, one thread, on {device}. Other devices have "
        "other times."
        for device in devices
    ]
    if not devices:
        said.append("No latency was measured on a named device.")
    return [
        "Accuracy: of the Keras models in Keras, of the .tflite files in LiteRT on the "
        "machine of the run.",
        *said,
    ]


def _file(file):
    tensors = [_tensor(file.get(name)) for name in ("input", "output")]
    size = file.get("size_bytes")
    cells = [
        ("precision", file.get("precision", "")),
        ("size", _sentences.size(size) if isinstance(size, int) else ""),
        ("input", tensors[0]),
        ("output", tensors[1]),
        ("SHA-256", f"{str(file.get('sha256', ''))[:12]}…"),
    ]
    return {"name": file.get("file", ""), "cells": cells}


def _tensor(tensor):
    if not isinstance(tensor, dict) or not isinstance(tensor.get("shape"), list):
        return ""
    return f"{'×'.join(map(str, tensor['shape']))} {tensor.get('dtype', '')}"


def _settings(run):
    settings = {} if run.seed is None else {"seed": run.seed}
    settings |= run.settings
    limits = settings.pop("limits", None)
    settings |= limits if isinstance(limits, dict) else {}
    rows = [
        (name.replace("_", " "), str(value))
        for name, value in settings.items()
        if value is not None and not isinstance(value, dict)
    ]
    return rows + [(name, str(version)) for name, version in run.versions.items()]

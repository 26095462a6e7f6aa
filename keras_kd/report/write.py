"""One page from the folders of runs."""

import dataclasses
import os
from pathlib import Path

from keras_kd._checks import invalid
from keras_kd._files import check_writable, written_whole
from keras_kd.report import _page
from keras_kd.report.run import read_run

_WHERE = "keras_kd.report.write_report"


def write_report(run_dirs, path="report.html", *, data=None, teacher=None, seed=0):
    """Writes one HTML file that tells what came of one or several runs.

    The file holds everything that it shows: it works from disk, without a network and
    without scripts, on a phone, on paper, in light and dark. What a run does not have
    is left out, and said to be missing.

    Args:
        run_dirs: the folder that `keras-kd demo` or `keras-kd distill` wrote, or a
            sequence of such, to be compared.
        path: `str` or `Path`, of the HTML file.
        data: a `DataSet` or its name, see `keras_kd.data.load`, to show what the models
            in the folders do on its test part. Default None: numbers alone.
        teacher: path of the teacher's .keras file, for runs without theirs. Default
            None.
        seed: int, of the maps.

    Returns:
        `Path` of the file.

    Raises:
        ValueError: A folder is not there or has nothing of a run in it, the path cannot
            be written, or there is no such data.

    Example:
        `write_report("runs/demo", "report.html", data="digits")`
    """
    if isinstance(run_dirs, str | os.PathLike):
        run_dirs = [run_dirs]
    if not run_dirs:
        raise invalid(_WHERE, "the folder of a run", "none", "Name one or several.")
    check_writable(_WHERE, path)
    if teacher is not None and not Path(teacher).is_file():
        raise invalid(_WHERE, "the teacher's file", f'"{teacher}"', "Check the path.")
    runs = _distinct([read_run(folder) for folder in run_dirs])
    album = _page.Album()
    sections, missing = _shown(runs, data, teacher, seed, album)
    text = _page.html(runs, sections, missing, album)
    with written_whole(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def _shown(runs, data, teacher, seed, album):
    """For each run the sections about its models, and what they lack."""
    if data is None:
        note = "No pictures of what the models do: name the data (--data) to have them."
        return [[] for _ in runs], [[note] for _ in runs]
    # TensorFlow is slow to import, and not needed for a page of numbers.
    from keras_kd.data import load
    from keras_kd.report.models import show

    dataset = load(data) if isinstance(data, str) else data
    shown = [show(run, dataset, teacher, album, seed=seed) for run in runs]
    return [one.sections for one in shown], [one.missing for one in shown]


def _distinct(runs):
    """The runs, with more of their paths as names where names are the same."""
    names = [run.name for run in runs]
    result = []
    for run in runs:
        if names.count(run.name) > 1:
            name = str(run.folder)
            rows = tuple(dataclasses.replace(row, run=name) for row in run.rows)
            run = dataclasses.replace(run, name=name, rows=rows)
        result.append(run)
    return result

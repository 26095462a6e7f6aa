"""`keras-kd label --beam`."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).parent / "keras-kd"


@pytest.fixture
def label(make_model, tmp_path):
    """A function that runs the command and returns what ran."""
    make_model().save(tmp_path / "teacher.keras")

    def run(*arguments):
        return subprocess.run(
            [COMMAND, "label", "--teacher", "teacher.keras", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    return run


def test_beam_stores_the_same(label, tmp_path):
    how = ["--part", "test", "--top-k", "3", "--crop", "1", "--views", "2"]
    flags = "--runner=DirectRunner --direct_running_mode=multi_threading"
    assert label(*how, "--out", "a").returncode == 0
    done = label(*how, "--out", "b", "--beam", flags, "--staging", "staging")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    a, b = (
        {file.name: file.read_bytes() for file in (tmp_path / folder).iterdir()}
        for folder in "ab"
    )
    assert len(a) == 3
    assert a == b


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--beam", "--runner='Flink"], "No closing quotation"),
        (["--beam", "--runner=Flank"], "Unexpected pipeline runner: Flank"),
        (["--staging", "folder"], "expected --beam with --staging"),
    ],
)
def test_wrong_flags_are_one_line_of_error(label, arguments, expected):
    failed = label(*arguments)
    assert failed.returncode == 2
    assert expected in failed.stderr
    assert len(failed.stderr.splitlines()) == 1

"""`keras-kd label --beam`."""

import pytest

from tests.cli.command import outcome


@pytest.fixture
def label(make_model, tmp_path):
    """A function that runs the command and returns what it printed to stderr."""
    make_model().save(tmp_path / "teacher.keras")

    def run(*arguments, code=0):
        command = ("label", "--teacher", "teacher.keras", *arguments)
        return outcome(*command, code=code, cwd=tmp_path)[1]

    return run


@pytest.mark.slow
def test_beam_stores_the_same(label, tmp_path):
    how = ["--part", "test", "--top-k", "3", "--crop", "1", "--views", "2"]
    flags = "--runner=DirectRunner --direct_running_mode=multi_threading"
    label(*how, "--out", "a")
    assert not label(*how, "--out", "b", "--beam", flags, "--staging", "staging")
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
    message = label(*arguments, code=2)
    assert expected in message
    assert len(message.splitlines()) == 1

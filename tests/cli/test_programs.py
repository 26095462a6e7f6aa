"""`keras-kd programs` as a person uses it."""

from .test_commands import run


def test_programs_are_written_once(tmp_path):
    folder = tmp_path / "programs"
    shown = run("programs", "--out", folder)
    assert f"KERAS_KD_EXPORT={folder}" in shown
    assert (folder / "web" / "package.json").is_file()
    assert "new or empty" in run("programs", "--out", folder, code=2)

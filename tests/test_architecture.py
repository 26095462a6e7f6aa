"""The house stays as it was designed: small files, small functions, plain rooms."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.programs import needs

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "keras_kd").rglob("*.py"))
MOST_FILE_LINES = 300
MOST_FUNCTION_LINES = 40
# Put together here, so that this file does not name them itself.
FORBIDDEN = [
    "-".join(("index", "url")),
    "/simple" + "/",
    "/home" + "/",
    ".." + "/shared",
]


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_file_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MOST_FILE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_functions_are_short(path):
    """Counted from the first statement after the docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    long = [
        f"{node.name}: {lines}"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _body_lines(node)) >= MOST_FUNCTION_LINES
    ]
    assert not long


# The front door is lazy and has a test of its own, in test_public_api.
INITS = [p for p in SOURCES if p.name == "__init__.py" and p.parent.name != "keras_kd"]


@pytest.mark.parametrize("path", INITS, ids=str)
def test_init_only_re_exports(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_list = isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
        assert isinstance(node, ast.ImportFrom) or is_text or is_list, ast.dump(node)


def test_every_room_has_tests():
    rooms = {
        path.parent.name for path in SOURCES if path.parent.parent == ROOT / "keras_kd"
    }
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert rooms - tested == set()


def test_help_does_not_import_tensorflow():
    program = (
        "import sys; from keras_kd.cli import main; sys.argv[1:] = ['--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('tensorflow', 'keras', 'sklearn') if m in sys.modules])"
    )
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip().endswith("[]")
    assert time.perf_counter() - start < 30  # a hang; the time itself is not asserted


@needs("git")
def test_repository_names_no_registry_and_no_machine():
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert files
    for name in files:
        if name.endswith((".npz", ".png")):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        for word in FORBIDDEN:
            assert word not in text, name


def _body_lines(function):
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0

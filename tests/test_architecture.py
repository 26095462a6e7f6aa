"""The house stays as it was designed: small files, small functions, plain rooms."""

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.programs import needs

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "keras_kd").rglob("*.py"))
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 40
# Put together here, so that this file does not name them itself.
FORBIDDEN = [
    "-".join(("index", "url")),
    "/simple" + "/",
    "/home" + "/",
    ".." + "/shared",
]

INTERNALS = ROOT / "keras_kd" / "_keras_internals.py"
# Private to us, or documented in spite of their look.
OUR_PRIVATE_NAMES = {"_exit", "_expected_fingerprint", "_replace"}
PRIVATE_PACKAGES = ("keras.src", "tensorflow.python")


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


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_names_that_keras_does_not_document_are_in_one_file(path):
    if path == INTERNALS:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [name for node in ast.walk(tree) for name in _foreign_private(node)]


@pytest.fixture(scope="module")
def imported():
    """What `every_module.py` tells of a process that imports all of keras_kd."""
    result = subprocess.run(
        [sys.executable, ROOT / "tests" / "every_module.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
def test_importing_builds_no_layer_and_no_variable(imported):
    assert imported["built"] == []


def test_classes_use_no_private_name_of_their_keras_base(imported):
    assert imported["of_keras"] == []


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


def _foreign_private(node):
    """Private names of others, and private packages, that one node of a tree uses."""
    if isinstance(node, ast.Attribute) and _is_private(node.attr):
        is_ours = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        return [] if is_ours else [node.attr]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("attr"):
        return [
            one.value
            for one in node.args
            if isinstance(one, ast.Constant) and _is_private(str(one.value))
        ]
    if isinstance(node, ast.Constant):
        names = [node.value] if isinstance(node.value, str) else []
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{one.name}" for one in node.names]
    elif isinstance(node, ast.Import):
        names = [one.name for one in node.names]
    else:
        names = [ast.unparse(node)] if isinstance(node, ast.Attribute) else []
    return [name for name in names if name.startswith(PRIVATE_PACKAGES)]


def _is_private(name):
    is_dunder = name.startswith("__")
    return name.startswith("_") and not is_dunder and name not in OUR_PRIVATE_NAMES

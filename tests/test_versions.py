"""What is declared can be tried: lowest versions, and what `make versions` runs."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent


def program(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"versions/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_dependency_has_a_lowest_version():
    lowest = program("lowest")
    unbound = [str(one) for one in lowest.requirements() if lowest.lowest(one) is None]
    assert unbound == []


def test_constraints_name_the_lowest_versions():
    assert "keras==3.13.2" in list(program("lowest").constraints())


def test_sample_has_files_of_every_room(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "versions")
    sample = [Path(line.split("::")[0]) for line in program("try_versions").sample()]
    assert all((ROOT / path).is_file() for path in sample)
    inits = (ROOT / "keras_kd").glob("*/__init__.py")
    assert {path.parent.name for path in inits} <= {path.parts[1] for path in sample}

"""The models of the published matrix, for tests: see the file in benchmarks/."""

import importlib.util
from pathlib import Path

_FILE = Path(__file__).parents[2] / "benchmarks" / "_export_architectures.py"
_spec = importlib.util.spec_from_file_location(_FILE.stem, _FILE)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

ARCHITECTURES = _module.ARCHITECTURES
trained = _module.trained

"""What the documents say is what was measured, and what they show runs."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXPORT = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
TABLES = {
    "export_routes": ("export_routes", "table"),
    "export_matrix": ("_export_matrix_table", "table"),
    "quantization": ("_quantization_table", "table"),
}


@pytest.mark.parametrize("result", TABLES)
def test_table_is_that_of_the_result_file(result, monkeypatch):
    module, function = TABLES[result]
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    table = getattr(importlib.import_module(module), function)
    results = json.loads((ROOT / f"benchmarks/results/{result}.json").read_text())
    assert "\n".join(table(results)) in EXPORT


def test_first_block_runs(tmp_path):
    block = re.findall(r"```python\n(.*?)```", EXPORT, re.S)[0]
    result = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "accuracy of the file" in result.stdout
    assert (tmp_path / "student_model.h").exists()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", EXPORT))))
def test_link_leads_somewhere(link):
    assert link.startswith("https://") or (ROOT / "docs" / link).exists()

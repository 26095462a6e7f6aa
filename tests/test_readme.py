"""What the README says can be run, is run or parsed; its figures are those of files."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from keras_kd.cli.app import app
from tests.losses.every_loss import EVERY_LOSS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line
    for language, text in BLOCKS
    if language == "bash"
    for line in text.splitlines()
    if line
]


@pytest.mark.slow
def test_python_blocks_run_in_order(tmp_path):
    program = "\n".join(text for language, text in BLOCKS if language == "python")
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "accuracy of the file" in result.stdout
    assert "Measurement(" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_command_parses(command):
    program, *arguments = shlex.split(command)
    if program == "make":
        assert f"\n{arguments[0]}:" in (ROOT / "Makefile").read_text()
        return
    assert program == "keras-kd"
    group = typer.main.get_command(app)
    name, subcommand, rest = group.resolve_command(
        group.make_context("keras-kd", arguments, resilient_parsing=True), arguments
    )
    subcommand.make_context(name, rest)


def test_demo_tables_are_those_of_the_result_file():
    results = json.loads((ROOT / "benchmarks/results/demo.json").read_text())
    for row in results["rows"]:
        (line,) = [x for x in README.splitlines() if x.startswith(f" {row['name']}  ")]
        low, high = (100 * bound for bound in row["accuracy_ci95"])
        expected = [f"{row['accuracy']:.1%}", f"{low:.1f}-{high:.1f}"]
        expected.append(f"{row['size_bytes'] / 1000:,.1f}")
        if row["kind"] == "tflite":
            expected.append(f"{row['latency_ms']['p50']:.4f}")
        for cell in expected:
            assert cell in line.split(), row["name"]


def test_speed_table_is_that_of_the_result_file():
    results = json.loads((ROOT / "benchmarks/results/step_time.json").read_text())
    rows = {
        "soft targets": "soft_targets",
        "soft targets and two features": "two_features",
    }
    for title, key in rows.items():
        cells = [
            "{} ({})".format(
                *(f"{results[key][kind][ratio]:.3f}" for kind in ("median", "minimum"))
            )
            for ratio in ("ours_to_keras", "ours_to_student_plus_teacher")
        ]
        assert f"| {title} | {' | '.join(cells)} |" in README


def test_profile_is_that_of_the_result_file():
    results = json.loads((ROOT / "benchmarks/results/step_profile.json").read_text())
    shares = results["percent"]
    said = ", ".join(
        f"{shares[part]:.1f} % {name}"
        for part, name in (
            ("teacher", "the teacher"),
            ("student", "the student"),
            ("losses", "the losses"),
            ("optimizer", "the optimizer"),
        )
    )
    assert f"{said}, {shares['rest']:.1f} % all else" in README.replace("\n", " ")


def test_table_of_soft_targets_is_that_of_the_result_file(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    table = importlib.import_module("_soft_targets_table").table
    results = json.loads((ROOT / "benchmarks/results/soft_targets.json").read_text())
    assert "\n".join(table(results)) in README
    for student in ("stored", "keras", "plain"):
        values = results["accuracy"]["students"][student]
        mean, deviation = 100 * values["mean"], 100 * values["standard_deviation"]
        assert f"{mean:.1f} ± {deviation:.1f} %" in README.replace("\n", " ")
    for peak in results["memory"]["peak_mb"]["label"]:
        assert f" {peak} " in README


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_link_leads_somewhere(link):
    assert link.startswith("https://") or (ROOT / link).exists()


def test_table_of_losses_is_complete_and_has_the_published_weights():
    rows = re.findall(
        r"^\| [^|]+ \| `(\w+)` \| [^|]+ \| [^|]+ \| ([^|]+) \|$", README, re.M
    )
    assert sorted(name for name, _ in rows) == sorted(EVERY_LOSS)
    for name, weight in rows:
        published = EVERY_LOSS[name]().published_weight
        assert weight.split(", ")[0] == f"{published:g}", name


def test_tables_of_every_loss_are_those_of_the_result_file():
    results = json.loads((ROOT / "benchmarks/results/every_loss.json").read_text())
    tables = README.split("| loss | published weight | chosen factor |")[1:]
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for table in tables
        for line in table.split("\n\n")[0].splitlines()[2:]
    ]
    of_title = {row["title"]: row for row in results["summary"].values()}
    assert sorted(row[0] for row in rows) == sorted(of_title)
    for title, published, factor, chosen, *differences, _ in rows:
        row = of_title[title]
        assert published == _accuracy_cell(row["published"]), title
        if row["is_tuned"]:
            assert factor == f"{row['factor']:g}", title
            assert chosen == _accuracy_cell(row["chosen"]), title
        for cell, key in zip(differences, ("to_no_kd", "to_plain_kd"), strict=True):
            assert cell == _difference_cell(row["chosen"].get(key)), title


def _accuracy_cell(accuracy):
    cell = f"{100 * accuracy['mean']:.1f} ± {100 * accuracy['std']:.1f}"
    return f"{cell}, {accuracy['diverged']} diverged" if accuracy["diverged"] else cell


def _difference_cell(difference):
    if difference is None:
        return ""
    mean, low, high = (100 * x for x in (difference["mean"], *difference["ci95"]))
    cell = f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"
    return f"**{cell}**" if difference["holm_p"] < 0.05 else cell

"""What LiteRT's `benchmark_model` prints, in both of its forms.

The Interpreter's tool ends in "Inference timings in us: …", the CompiledModel's in a
block "BENCHMARK RESULTS" in milliseconds. Both print a line "count=…" in microseconds
for the warm-up, and one for the timed runs.

Reference:
    BenchmarkModel::Run in tflite/tools/benchmark/benchmark_model.cc,
    BenchmarkLoggingListener in litert/tools/benchmark_litert_model.h and
    StatWithPercentiles in xla/tsl/util/stats_calculator.h:
    https://github.com/google-ai-edge/LiteRT, https://github.com/openxla/xla.
"""

import re
from dataclasses import dataclass

from keras_kd.benchmark.measurement import OperationTime

_COUNT = re.compile(r"^(?:INFO: )?count=(\d+)\s*(.*)$", re.MULTILINE)
_FIELD = re.compile(r"(\w+)=([\d.e+-]+)")
_INIT_US = re.compile(r"Inference timings in us: Init: ([\d.e+]+)")
_AVERAGE_US = re.compile(r"Inference timings in us:.*Inference \(avg\): ([\d.e+]+)")
_RESULT = re.compile(
    r"^(?:INFO: )?(Model initialization|(?:Warmup|Inference) \(\w+\)):\s+([\d.]+)"
    r"(?: ms)?(?: \((\d+) runs\))?",
    re.MULTILINE,
)
_PEAK = re.compile(
    r"(?:Peak memory:|peak memory footprint \(MB\)[^:]*:)\s+([\d.]+)", re.IGNORECASE
)
_FLAG = re.compile(r"^\s*--(\w+)=", re.MULTILINE)
_ERROR = re.compile(r"^(?:ERROR|FATAL|F[0-9]{4} |E[0-9]{4} )[:\s]*(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Timing:
    """The times in one output, in milliseconds; None where it has none.

    Attributes:
        runs: int, how many were timed.
        warmup: int, runs before them.
        init_ms: float or None.
        min_ms: float or None.
        average_ms: float or None.
        p50_ms: float or None.
        p95_ms: float or None.
    """

    runs: int
    warmup: int
    init_ms: float | None
    min_ms: float | None
    average_ms: float | None
    p50_ms: float | None
    p95_ms: float | None


def read_timing(text):
    """The `Timing` in an output, or None if there is none."""
    counts = [_statistics(*found) for found in _COUNT.findall(text)]
    results = {name: (value, runs) for name, value, runs in _RESULT.findall(text)}
    found = counts[-1] if counts else _results(results)
    average_us = _AVERAGE_US.search(text)
    if not found.get("count") and average_us:
        found = {"avg": float(average_us[1])}
    if not found.get("count") and "avg" not in found:
        return None
    warmup = counts[-2]["count"] if len(counts) > 1 else _runs(results, "Warmup (avg)")
    return Timing(
        runs=int(found.get("count", 0)),
        warmup=int(warmup),
        init_ms=_init_ms(text, results),
        min_ms=_ms(found, "min"),
        average_ms=_ms(found, "avg"),
        p50_ms=_ms(found, "median"),
        p95_ms=_ms(found, "p95"),
    )


def read_peak_bytes(text):
    """The most memory the program had, by `--report_peak_memory_footprint`, or None."""
    found = _PEAK.search(text)
    return round(float(found[1]) * 2**20) if found else None


def read_flags(text):
    r"""The flags in the tool's `--help`: a set of str, without dashes.

    Example:
        >>> sorted(read_flags("usage: x\n\t--graph=\tstring\n\t--use_gpu=false"))
        ['graph', 'use_gpu']
    """
    return set(_FLAG.findall(text))


def read_operations(text):
    """The profile of the timed runs: a tuple of `OperationTime` in order of execution.

    A delegate counts as its own operations where the tool prints them.
    """
    text = text.rpartition("Profiling Info for Regular Benchmark Runs")[2]
    sections = [
        re.split(r"^.*={8,}", section, maxsplit=1, flags=re.MULTILINE)[0]
        for section in re.split(r"={8,} Run Order ={8,}", text)[1:]
    ]
    rows = [row for section in sections for row in _table(section)]
    if len(sections) > 1:
        rows = [row for row in rows if "delegate" not in row.name.lower()] or rows
    return tuple(rows)


def runs_on_cpu(text):
    """Whether the Interpreter's tool says that a delegate left something to the CPU."""
    return "graph will not be executed" in text or "graph will be partially" in text


def complaint(text):
    """The line of an output that says best what went wrong."""
    errors = [
        line for line in _ERROR.findall(text) if "Benchmarking failed" not in line
    ]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (errors or lines or ["it printed nothing"])[-1][:200]


def _statistics(count, rest):
    """Microseconds by name, of a line "count=50 first=…"."""
    found = {name: float(value) for name, value in _FIELD.findall(rest)}
    # A line whose runs took all the same time has neither min nor avg.
    if "curr" in found:
        found = {"min": found["curr"], "avg": found["curr"]} | found
    return {"count": int(count)} | (found if int(count) else {})


def _results(results):
    names = {"min": "min", "avg": "avg", "median": "median", "p95": "p95"}
    found = {
        name: float(results[f"Inference ({word})"][0]) * 1e3
        for name, word in names.items()
        if f"Inference ({word})" in results
    }
    return found | ({"count": _runs(results, "Inference (avg)")} if found else {})


def _runs(results, name):
    return int(results.get(name, ("", ""))[1] or 0)


def _ms(found, name):
    return found[name] / 1e3 if name in found else None


def _init_ms(text, results):
    found = _INIT_US.search(text)
    if found:
        return float(found[1]) / 1e3
    found = results.get("Model initialization")
    return float(found[0]) if found else None


def _table(section):
    """The rows of a table whose columns a line "[node type] … [avg ms] …" names."""
    rows, columns = [], None
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().split("\t")]
        if "[node type]" in cells:
            columns = cells.index("[node type]"), cells.index("[avg ms]")
        elif columns and len(cells) > max(columns):
            name, ms = (cells[column] for column in columns)
            rows.append(OperationTime(name=name, ms=float(ms)))
    return rows

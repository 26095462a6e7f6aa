"""Timing a .tflite file on the machine that runs this program."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_kd._checks import check_choice, invalid
from keras_kd.export import LiteRtModel

TARGETS = ("host",)
WHERE = "keras_kd.benchmark.measure"
_ARCHITECTURES = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "ARM64"}


@dataclass(frozen=True)
class Latency:
    """How long the file's operations take for one example.

    Attributes:
        init_ms: float, milliseconds to load the file and allocate its tensors.
        p50_ms: float, the median.
        p90_ms: float, the 90th percentile.
        p99_ms: float, the 99th percentile.
        runs: int, how many were timed.
        threads: int, of LiteRT's CPU kernels.
        machine: str, processor and operating system.
        measured_on: str, the class of device, such as "host CPU, x86-64"; the latency
            of a phone or board is another.
    """

    init_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    runs: int
    threads: int
    machine: str
    measured_on: str


def measure(tflite_path, *, target="host", threads=1, runs=200, warmup=20):
    """Times a .tflite file, one example at a time, on random input.

    Args:
        tflite_path: `str` or `Path`.
        target: "host", the machine that runs this program.
        threads: int > 0.
        runs: int > 0, timed runs.
        warmup: int ≥ 0, runs before them that do not count.

    Returns:
        A `Latency`.

    Raises:
        ValueError: The file or an argument cannot be used.

    Example:
        See `examples/01_digits.py`.
    """
    check_choice(WHERE, "target", target, TARGETS)
    for name, value, least in (
        ("threads", threads, 1),
        ("runs", runs, 1),
        ("warmup", warmup, 0),
    ):
        if not isinstance(value, int) or value < least:
            raise invalid(
                WHERE,
                f"`{name}` to be an int of at least {least}",
                repr(value),
                f"Choose another `{name}`.",
            )
    start = time.perf_counter()
    model = LiteRtModel(tflite_path, threads=threads)
    init_ms = (time.perf_counter() - start) * 1e3
    times_ms = _times_ms(model, runs, warmup)
    p50, p90, p99 = (float(np.percentile(times_ms, q)) for q in (50, 90, 99))
    machine = platform.machine()
    return Latency(
        init_ms=init_ms,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        runs=runs,
        threads=threads,
        machine=describe_machine(),
        measured_on=f"host CPU, {_ARCHITECTURES.get(machine, machine)}",
    )


def describe_machine():
    """The processor, its number of cores, and the operating system, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}"


def _times_ms(model, runs, warmup):
    details = model.input
    generator = np.random.default_rng(0)
    if np.issubdtype(details["dtype"], np.integer):
        # Whole numbers that stand for no real ones are indices: only 0 is safe.
        most = 127 if details["quantization"][0] else 0
        values = generator.integers(0, most, details["shape"], endpoint=True)
    else:
        values = generator.random(details["shape"])
    model.interpreter.set_tensor(details["index"], values.astype(details["dtype"]))
    times = []
    for _ in range(warmup + runs):
        start = time.perf_counter()
        model.interpreter.invoke()
        times.append((time.perf_counter() - start) * 1e3)
    return times[warmup:]

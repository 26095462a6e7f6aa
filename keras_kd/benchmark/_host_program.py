"""The program for this machine: LiteRT from Python, with the contract of export/.

It runs in a process of its own, and imports nothing but LiteRT and NumPy: the memory is
what the file needs, and a file that crashes LiteRT does not take its caller along.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import struct
import sys
import time
from pathlib import Path

import numpy as np

SCHEMA = 1


def main(arguments=None):
    """Runs a file as the command line says, and prints one line of JSON."""
    options = _parser().parse_args(arguments)
    try:
        line = json.dumps(_measured(options))
    except (OSError, ValueError, RuntimeError) as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        raise SystemExit(2) from None
    sys.stdout.write(line + "\n")


def describe_machine():
    """The processor, its number of cores, and the operating system, in words."""
    lines = _text("/proc/cpuinfo").splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}"


def peak_memory_bytes():
    """The most that this process had in memory; None where that is not known."""
    # Not getrusage: its value survives exec, and would be the caller's.
    for line in _text("/proc/self/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def _measured(options):
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    from ai_edge_litert.interpreter import Interpreter

    start = time.perf_counter()
    interpreter = Interpreter(options.file, num_threads=options.threads)
    interpreter.allocate_tensors()
    init_ms = (time.perf_counter() - start) * 1e3
    details = interpreter.get_input_details()[0]
    golden = options.golden and _Golden(options.golden, interpreter)
    first = golden.inputs[0] if golden else _example(details)
    interpreter.set_tensor(details["index"], first)
    times = _times_ms(interpreter, options.warmup, options.runs)
    names = ("p50_ms", "p90_ms", "p99_ms")
    return {
        "schema": SCHEMA,
        "file": Path(options.file).name,
        "size_bytes": Path(options.file).stat().st_size,
        "machine": describe_machine(),
        "runtime": f"LiteRT {importlib.metadata.version('ai-edge-litert')}, Python",
        "accelerator": "CPU",
        "is_emulated": False,
        "threads": options.threads,
        "warmup": options.warmup,
        "runs": options.runs,
        "init_ms": init_ms,
        "min_ms": min(times),
        **dict(zip(names, np.percentile(times, (50, 90, 99)).tolist(), strict=True)),
        "arena_bytes": None,
        "operations": None,
        "governor": _text(_GOVERNOR).strip() or None,
        "load": load,
        "golden": golden and golden.run(interpreter, options.outputs),
        "peak_memory_bytes": peak_memory_bytes(),
    }


def _times_ms(interpreter, warmup, runs):
    times = []
    for _ in range(warmup + runs):
        start = time.perf_counter()
        interpreter.invoke()
        times.append((time.perf_counter() - start) * 1e3)
    return times[warmup:]


class _Golden:
    """A golden file, see `keras_kd.benchmark.golden`."""

    header = struct.Struct("<8s4I")

    def __init__(self, path, interpreter):
        content = Path(path).read_bytes()
        self.input = interpreter.get_input_details()[0]
        self.output = interpreter.get_output_details()[0]
        sizes = [_bytes(one) for one in (self.input, self.output)]
        start = self.header.size
        if len(content) < start or content[:8] != b"KDGOLD01":
            raise ValueError(f"{path} is no golden file")
        _, count, *given, _ = self.header.unpack(content[:start])
        if given != sizes or len(content) != start + count * sum(sizes):
            raise ValueError(f"{path} was not made for this .tflite file")
        middle = start + count * sizes[0]
        self.inputs = _array(content[start:middle], self.input)
        self.expected = _array(content[middle:], self.output)

    def run(self, interpreter, path):
        """Answers all inputs, to the file `path` if any; how they differ, a dict."""
        answers = np.empty_like(self.expected)
        for number, one in enumerate(self.inputs):
            interpreter.set_tensor(self.input["index"], one)
            # As `write_golden` does; timing has left its state as well.
            interpreter.reset_all_variables()
            interpreter.invoke()
            answers[number] = interpreter.get_tensor(self.output["index"])
        if path:
            Path(path).write_bytes(answers.tobytes())
        differences = np.abs(answers.astype("float64") - self.expected)
        same = self._classes(answers) == self._classes(self.expected)
        return {
            "examples": len(answers),
            "same_class": int(same.sum()),
            "max_difference": float(differences.max()),
        }

    def _classes(self, answers):
        flat = answers.reshape(len(answers), -1)
        # Of one output no class is known here: whether it is the same value.
        return flat[:, 0] if flat.shape[1] == 1 else flat.argmax(axis=1)


def _array(content, details):
    values = np.frombuffer(content, details["dtype"])
    return values.reshape(-1, *details["shape"])


def _bytes(details):
    return int(np.prod(details["shape"])) * np.dtype(details["dtype"]).itemsize


def _example(details):
    if np.issubdtype(details["dtype"], np.integer):
        # Whole numbers that stand for no real ones are indices: only 0 is safe.
        return np.zeros(details["shape"], details["dtype"])
    values = np.random.default_rng(0).random(details["shape"])
    return values.astype(details["dtype"])


_GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"


def _text(path):
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--golden")
    parser.add_argument("--outputs")
    for name, value in (("--threads", 1), ("--runs", 200), ("--warmup", 20)):
        parser.add_argument(name, type=int, default=value)
    return parser


if __name__ == "__main__":
    main()

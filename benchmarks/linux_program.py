"""The C program's median latency beside that of LiteRT's own tool, `litert-benchmark`.

The same files, one thread, the two programs in turn, each time in a process of its own
and every other time in the other order; ratio of the medians of all repeats, and the
least and the most of a single repeat. The files take 0.5 to 1 ms: of faster ones the
two decimals that LiteRT's tool prints are too few, and slower runs are interrupted more
often by what else the machine does.

Run: python benchmarks/linux_program.py [--repeats 9] [--runs 1000] [--out FOLDER]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_kd._files import write_json
from keras_kd.benchmark import linux
from keras_kd.benchmark.host import describe_machine
from keras_kd.benchmark.request import Request
from keras_kd.export import convert
from keras_kd.students import convnet

SIDES = {"float32": 64, "int8": 96}
WIDTH = 32
WARMUP = 20
TOOL = "ai_edge_litert.tools.benchmark_litert_model"


def files(folder):
    """A student's .tflite file of each precision, with random weights."""
    generator = np.random.default_rng(0)
    paths = {}
    for precision, side in SIDES.items():
        keras.utils.set_random_seed(0)
        model = convnet((side, side, 3), 10, width=WIDTH)
        x = generator.random((20, side, side, 3), dtype="float32")
        paths[precision] = Path(folder, f"{precision}.tflite")
        convert(model, paths[precision], precision=precision, calibration_data=x)
    return paths


def ours_ms(path, runs):
    """The median of our program, milliseconds."""
    return linux.run(
        Request(path=path, target="linux", runs=runs, warmup=WARMUP)
    ).p50_ms


def tools_ms(path, runs):
    """The median of LiteRT's tool, milliseconds."""
    result = path.with_suffix(".json.tool")
    command = [sys.executable, "-m", TOOL, f"--model={path}", f"--result_json={result}"]
    command += ["--num_threads=1", f"--num_runs={runs}", f"--warmup_runs={WARMUP}"]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads(result.read_text(encoding="utf-8"))["latency"]["median_ms"]


def compare(path, *, repeats, runs):
    """Medians of both in every repeat, and their ratio, a dict."""
    programs = {"ours": ours_ms, "litert_benchmark": tools_ms}
    p50_ms = {name: [] for name in programs}
    ours_ms(path, 1)  # builds the program
    for repeat in range(repeats):
        for name in sorted(programs, reverse=repeat % 2 == 1):
            p50_ms[name].append(programs[name](path, runs))
    ours, tool = p50_ms["ours"], p50_ms["litert_benchmark"]
    ratios = [a / b for a, b in zip(ours, tool, strict=True)]
    return {
        "p50_ms": {name: [round(one, 4) for one in p50_ms[name]] for name in p50_ms},
        "ratio_of_medians": round(statistics.median(ours) / statistics.median(tool), 3),
        "ratio_of_minima": round(min(ours) / min(tool), 3),
        "ratio_least": round(min(ratios), 3),
        "ratio_most": round(max(ratios), 3),
    }


def main():
    """Measures, prints and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    results = {}
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        for precision, path in files(folder).items():
            results[precision] = {
                "size_bytes": path.stat().st_size,
                **compare(path, repeats=options.repeats, runs=options.runs),
            }
            print(precision, json.dumps(results[precision]))
    load.append(os.getloadavg()[0])
    results["set_up"] = {
        "student": f"convnet, width {WIDTH}, random weights",
        "side_pixels": SIDES,
        "repeats": options.repeats,
        "runs": options.runs,
        "warmup": WARMUP,
        "threads": 1,
        "machine": describe_machine(),
        "load_at_start_and_end": [round(one, 1) for one in load],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "linux_program.json", results)
    print(f"Written to {options.out / 'linux_program.json'}")


if __name__ == "__main__":
    main()

"""What stored soft targets save, and what they cost beside the work nobody can avoid.

One process, the contestants in turn, medians of several repeats after warm-up, minima
beside them. "plain" is the student's own `fit`, "stored" a `keras_kd.Distiller` on
`SoftTargets.attach`, "keras" a `keras.distillation.Distiller` with a live teacher; all
read the same images (JPEG, shuffled, in batches of 64) without the autotuner.

- epochs: stored beside plain, for all logits of 10 and 1000 classes, for the top 10 of
  1000, and with augmentation.
- totals: 30 epochs with all that goes before them, for teachers whose forward pass
  costs about 10 and about 20 times the student's: by arithmetic from the parts (label,
  attach, epochs), beside what cannot be avoided (`predict` once, 30 plain epochs) and
  beside Keras; then once as whole runs from the start, tracing included.
- labelling: `label` beside `teacher.predict` on the same batches, the whole call, in
  which both trace their graph anew, and from the second batch on, without that.
- bytes: all files of a store, beside float32 logits.
- memory: the peak of a process that labels, or trains, at 1x and 10x the data, of
  images that are made when they are read, with one heap of glibc. "shuffled" includes
  the buffer of images to shuffle among, which the plain student has too: it ends at
  half a gigabyte.
- accuracy: of `students.convnet` on the test part of digits, trained alike.

Run: python benchmarks/soft_targets.py [--data NAME] [--out benchmarks/results]
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from _soft_targets_memory import SHAPE, TASKS
from _soft_targets_runs import (
    BATCH_SIZE,
    LABEL_BATCH_SIZE,
    MANY_CLASSES,
    STUDENT,
    TEACHERS,
    Totals,
    accuracies,
    epoch_contestants,
    random_images,
)
from _soft_targets_table import (
    epoch_ratios,
    rounded,
    summary,
    table,
    total_ratios,
    whole_ratios,
)
from step_time import measure

from keras_kd._files import write_json
from keras_kd.benchmark.host import describe_machine
from keras_kd.data import load

ROOT = Path(__file__).parent
PARTS = ("memory", "epochs", "bytes", "totals", "whole_runs", "accuracy")


def main():
    """Measures, prints and writes the result file."""
    options = _options()
    keras.utils.set_random_seed(0)
    path = options.out / "soft_targets.json"
    results = {}
    if options.parts != PARTS:
        results = json.loads(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        functions = parts(Path(folder), options)
        for name in options.parts:
            results[name] = functions[name]()
            print(name, json.dumps(results[name], indent=1), flush=True)
    results["set_up"] = set_up(options)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(path, results)
    print("\n".join(table(results)))
    print(f"Written to {path}")


def images(options, number):
    """The `Split` to train on: so many random images, or all of `--data`."""
    if options.data is None:
        return random_images(number)
    return load(options.data).train


def parts(folder, options):
    """Functions that give each part of the results, in this order."""
    split = images(options, options.examples)
    totals_split = images(options, options.total_examples)
    totals = Totals(totals_split, folder)

    def of_epochs():
        contestants = epoch_contestants(split, folder)
        # Differences are smaller here than in the totals, and epochs are cheaper.
        seconds = measure(contestants, 2 * options.repeats, options.warmup)
        return summary(seconds, epoch_ratios)

    def of_totals():
        seconds = measure(totals.contestants(), options.repeats, options.warmup)
        number = len(totals_split)
        return summary(seconds, lambda s: total_ratios(s, number, options.epochs))

    def of_whole_runs():
        runs = totals.whole_runs(options.epochs)
        seconds = {k: v[0] for k, v in measure(runs, repeats=1, warmup=0).items()}
        return {"seconds": rounded(seconds), **whole_ratios(seconds)}

    return {
        "memory": lambda: memory(options.memory_examples, folder),
        "epochs": of_epochs,
        "bytes": lambda: stored_bytes(folder, len(split)),
        "totals": of_totals,
        "whole_runs": of_whole_runs,
        "accuracy": lambda: accuracy(options.seeds, options.epochs, folder / "digits"),
    }


def stored_bytes(folder, number):
    """Bytes an example of the stores of many classes, and how much larger float32 is.

    Args:
        folder: `Path` with the stores of `epoch_contestants`.
        number: int, the examples in each.
    """
    result = {}
    for name in (f"full_of_{MANY_CLASSES}", f"top_10_of_{MANY_CLASSES}"):
        size = sum(file.stat().st_size for file in (folder / name).iterdir()) / number
        result[name] = {
            "bytes_per_example": round(size, 2),
            "float32_to_stored": round(4 * MANY_CLASSES / size, 2),
        }
    return result


def memory(number, folder):
    """Peak megabytes of each task of `_soft_targets_memory.py` at 1x and 10x the data.

    Args:
        number: int, images at 1x.
        folder: `Path` for the stores.
    """
    sizes = [number, 10 * number]
    # Else the peak also tells into how many pieces glibc's heaps have broken.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    peaks = {task: [] for task in TASKS}
    for size in sizes:
        for task in TASKS:
            command = [sys.executable, ROOT / "_soft_targets_memory.py"]
            command += [task, str(size), folder / f"memory_{size}"]
            result = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, check=True
            )
            peaks[task].append(int(result.stdout) / 1e6)
    return {
        "images": sizes,
        "images_mb": [round(4 * math.prod(SHAPE) * size / 1e6) for size in sizes],
        "peak_mb": {task: [round(mb) for mb in both] for task, both in peaks.items()},
        "ten_to_one": rounded({task: b / a for task, (a, b) in peaks.items()}, 3),
    }


def accuracy(seeds, epochs, folder):
    """Test accuracies on digits: each seed's, mean and standard deviation."""
    teacher, runs = accuracies(seeds, epochs, folder)
    pairs = zip(runs["stored"], runs["keras"], strict=True)
    runs["stored_minus_keras"] = [stored - keras for stored, keras in pairs]
    students = {
        name: {
            "seeds": [round(value, 4) for value in values],
            "mean": round(statistics.mean(values), 4),
            "standard_deviation": round(statistics.stdev(values), 4),
        }
        for name, values in runs.items()
    }
    return {"teacher": round(teacher, 4), "students": students}


def set_up(options):
    """What else is to be known of the measurements."""
    return {
        "data": options.data or "random JPEG images, 32x32",
        "examples": options.examples,
        "total_examples": options.total_examples,
        "batch_size": BATCH_SIZE,
        "label_batch_size": LABEL_BATCH_SIZE,
        "epochs": options.epochs,
        "repeats": options.repeats,
        "student_width_and_depth": STUDENT,
        "teacher_width_and_depth": TEACHERS,
        "machine": describe_machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        help="to measure again; the file keeps the others (bytes needs epochs)",
    )
    parser.add_argument("--data", help="see keras_kd.data.load; default: random images")
    parser.add_argument("--examples", type=int, default=4096, help="of epochs")
    parser.add_argument("--total-examples", type=int, default=4096, help="of the rest")
    parser.add_argument("--memory-examples", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5, help="of the accuracies")
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    return parser.parse_args()


if __name__ == "__main__":
    main()

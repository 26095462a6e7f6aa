"""How good students made from their teacher are, by size and by how they learn.

A residual net is trained once; `students.shrink` makes students of about 1/4, 1/10 and
1/30 of its weights. For each seed each of them learns in four ways, with the same
number of epochs, steps and the same falling learning rate:

- scratch: from labels alone;
- distilled: from the labels and the teacher (alpha 0.1, temperature 4), from random
  weights;
- distilled_from_teacher_weights: the same, beginning with the teacher's most important
  channels (`init="teacher"`, chosen on 512 training images);
- distilled_through_assistant: the same as distilled, but the distilled student of 1/4
  teaches (Mirzadeh et al., 2020, https://arxiv.org/abs/1902.03393).

The teacher's answers are stored once, for other crops in each epoch. Rates and epochs
were fixed beforehand; nothing was chosen on the test part. What is trained stays in
--runs, so that a run that was stopped goes on where it was.

Run: python benchmarks/student_sizes.py [--data NAME] [--out benchmarks/results]
"""

import argparse
import platform
from dataclasses import asdict
from pathlib import Path

import keras
import tensorflow as tf
from _student_sizes_runs import BATCH_SIZE, DIVISOR, Runs, accuracy, plan
from _student_sizes_table import figure, summary, table

from keras_kd._files import write_json, written_whole
from keras_kd.benchmark.host import describe_machine
from keras_kd.data import load
from keras_kd.data.augment import describe

ROOT = Path(__file__).parent


def main():
    """Trains, prints, and writes the result file and its figure."""
    options = _options()
    data = load(options.data)
    source, _, place = options.data.partition(":")
    name = Path(place).name if source in ("folder", "npz") else options.data
    runs = Runs(data, options.runs / name)
    results = {"data": name, **_measured(runs, options), "set_up": _set_up(runs)}
    print("\n".join(table(results)))
    if options.on == "test":
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(options.out / "student_sizes.json", results)
        with written_whole(options.out / "student_sizes.png") as (path,):
            figure(results).savefig(path, dpi=150, format="png")


def _measured(runs, options):
    part = getattr(runs.data, options.on)
    found = {}
    for seed in range(options.seeds):
        for size, recipe in plan(runs.setting):
            value = runs.score(size, recipe, seed, options.on)
            found.setdefault(size, {}).setdefault(recipe, []).append(value)
            print(size, recipe, seed, value, flush=True)
    return {
        "part": options.on,
        "examples": len(part),
        "teacher": {
            "params": runs.teacher.count_params(),
            "accuracy": accuracy(runs.teacher, part),
        },
        "students": {
            size: {"params": runs.params(size), "recipes": summary(recipes)}
            for size, recipes in found.items()
        },
    }


def _set_up(runs):
    setting = asdict(runs.setting)
    setting["augment"] = runs.setting.augment and describe(runs.setting.augment)
    return {
        **setting,
        "batch_size": BATCH_SIZE,
        "divisor": DIVISOR,
        "training_examples": len(runs.data.train),
        "machine": describe_machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="see keras_kd.data.load")
    parser.add_argument("--on", choices=("test", "validation"), default="test")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/student_sizes"))
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    return parser.parse_args()


if __name__ == "__main__":
    main()

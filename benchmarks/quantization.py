"""What int8 and 4-bit weights cost a student, with and without training for them.

A teacher is trained once for a data set; for each seed a student is distilled from it
in float32. From there it goes on in five ways:

- float_continued: no file, but the float student after as many epochs more as the
  quantisation-aware one of 8 bits gets: what training longer does alone;
- int8_after_training, int4_weights_after_training: `convert` of the float student;
- int8_in_training, int4_weights_in_training: `quantization_aware` of it, distilled some
  epochs more (for 4 bits twice as many), then `convert`.

Accuracies are those of the files, run with LiteRT example by example; "agreement" is
how often a file chooses the class that its Keras model chooses. With 4-bit weights it
is less, as LiteRT's kernels for them round twice where they scale a sum, and the sums
have few steps. Epochs and rates were chosen with --on validation. What is trained stays
in --runs, so that a run that was stopped goes on where it was.

Run: python benchmarks/quantization.py [--data NAME …] [--out benchmarks/results]
"""

import argparse
import json
import platform
from dataclasses import asdict
from pathlib import Path

import keras
import tensorflow as tf
from _quantization_runs import BATCH_SIZE, run, setting_of, teacher_of
from _quantization_table import summary, table

from keras_kd._files import write_json
from keras_kd.benchmark.host import describe_machine
from keras_kd.data import load
from keras_kd.data.augment import describe

ROOT = Path(__file__).parent


def main():
    """Trains, prints and writes the result file."""
    options = _options()
    path = options.out / "quantization.json"
    results = {"data": {}}
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
    for name in options.data:
        data = load(name)
        label = _label(name)
        results["data"][label] = of_data(data, options, options.runs / label)
        results["set_up"] = set_up()
        if options.on == "test":
            options.out.mkdir(parents=True, exist_ok=True)
            write_json(path, results)
    print("\n".join(table(results)))


def of_data(data, options, folder):
    """All students of a data set: what each seed gave, and what that says."""
    part = getattr(data, options.on)
    folder.mkdir(parents=True, exist_ok=True)
    setting = setting_of(data)
    teacher = teacher_of(data, folder)
    x, y = part.arrays()
    teacher_accuracy = (teacher.predict(x, verbose=0).argmax(-1) == y).mean()
    result = {
        "teacher": round(float(teacher_accuracy), 5),
        "examples": len(part),
        "settings": _plain(setting),
        "students": {},
    }
    for kind in setting.students:
        runs = []
        for seed in range(options.seeds):
            runs.append(run(data, kind, seed, part_name=options.on, folder=folder))
            print(data.name, kind, seed, json.dumps(runs[-1]), flush=True)
        result["students"][kind] = {"summary": summary(runs), "runs": runs}
    return result


def set_up():
    """What else is to be known of the measurements."""
    return {
        "batch_size": BATCH_SIZE,
        "machine": describe_machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }


def _plain(setting):
    """A setting as JSON can hold it."""
    values = asdict(setting)
    values["students"] = list(setting.students)
    values["augment"] = setting.augment and describe(setting.augment)
    return values


def _label(name):
    """A data set's name without the place where its files are."""
    source, _, place = name.partition(":")
    return Path(place).name if source in ("folder", "npz") else name


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", nargs="+", default=["digits"], help="see keras_kd.data.load"
    )
    parser.add_argument("--on", choices=("test", "validation"), default="test")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/quantization"))
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Every distillation loss on the same small task: which should I take?

One student learns handwritten digits from few labelled images: with the labels alone
("no KD"), and with each published loss besides. Two runs of the same seed differ in the
loss and nothing else: labelled images, augmentation, starting weights, number of steps,
optimizer and learning rate are the same. Another seed has other images and weights.

- Objective: cross-entropy with weight 1, plus the loss with its published weight times
  a factor. (`alpha=0.5` halves both; Adam does not care.) Published weights were found
  for ResNets on CIFAR-100 or ImageNet, so factors of 0.01, 0.1 and 10 are run too, and
  100 and 1000 as long as the largest is the best. 10 is about what authors have who
  weigh the labels by 0.1 and the loss by 0.9.
- The factor is chosen for each loss, plain KD included, on the validation part, in runs
  with seeds of their own, whose test accuracy is never computed. Test accuracies are of
  the other seeds, at the published weight and at the chosen factor. "No KD" has no
  factor to choose.
- Labels a class, steps and learning rate were chosen with "no KD", and the teacher's
  size and training with the teacher alone, on the validation part, before any loss ran.
- Differences are paired by seed, with a 95 % interval of Student's t. About 40 losses
  are compared with the same baseline, so that some of these intervals miss 0 by chance;
  "better" and "worse" are said only where Holm's correction, over all losses compared
  with that baseline at that setting, leaves p < 0.05. The intervals are over seeds
  (images to learn from, starting weights), not over other images to test on.
- SimKD with the teacher's head predicts with the student's body, a projector and the
  teacher's classifier: more than the student. The multi-label loss has a teacher and a
  "no KD" of its own, both trained for independent labels.
- Added when the results were known, and compared apart from the others: losses at
  another temperature, to see whether that is why some of them did not help.
- A loss that does not fit the data (top-k targets, where classes are few) is listed as
  not applicable, with its message.
- A run whose weights are not finite at the end is reported as diverged, and counts with
  the accuracy it has. Step times are of the processor, by median: indicative.

A run that was stopped goes on when the same command is given again.

Run: python benchmarks/every_loss.py [--data digits] [--losses NAME ...] [--table]
"""

import argparse
import json
import platform
from pathlib import Path

import keras
import tensorflow as tf
from _every_loss_recipes import NO_KD, NOT_APPLICABLE, RECIPES
from _every_loss_runs import STUDENT, TEACHER, Contestant, Task
from _every_loss_table import chosen_factor, factor_key, summary, table

from keras_kd._checks import InvalidInputError
from keras_kd._files import write_json
from keras_kd.benchmark.host import describe_machine
from keras_kd.cli._console import console, progress

ROOT = Path(__file__).parent.parent
FACTORS = [0.01, 0.1, 1.0, 10.0]
LARGEST_FACTOR = 1000.0
FIRST_TUNING_SEED = 1000


def main():
    """Runs what is not in the result file yet, and prints the table."""
    options = _options()
    if options.table:
        print("\n".join(table(json.loads(options.out.read_text(encoding="utf-8")))))
        return
    set_up = set_up_of(options)
    results = _started(options.out, set_up)
    results["seeds"] = sorted({*results["seeds"], *range(options.seeds)})
    task = Task(set_up, options.teachers)
    with progress() as bar:
        overall = bar.add_task("Losses", total=len(options.losses), note="")
        for name in options.losses:
            bar.update(overall, note=name)
            try:
                run_recipe(name, task, results, options.out, bar)
            except InvalidInputError as error:
                results["not_applicable"][name] = str(error)
                console.print(f"{name}: {error}", soft_wrap=True, markup=False)
            bar.update(overall, advance=1)
    finish(results, task)
    write_json(options.out, results)
    console.print("\n".join(table(results)), soft_wrap=True, markup=False)
    console.print(f"Written to {options.out}")


def run_recipe(name, task, results, out, bar):
    """All runs of a recipe that are not in `results`; writes after each."""
    recipe, set_up = RECIPES[name], results["set_up"]
    runs = results["runs"].setdefault(name, {})
    contestants = []

    def run(factors, seeds, parts):
        missing = [
            (factor, seed)
            for factor in factors
            for seed in seeds
            if seed not in runs.get(factor_key(factor), {"seed": []})["seed"]
        ]
        row = bar.add_task(f"  {recipe.title}", total=len(missing), note=parts[-1])
        for factor, seed in missing:
            contestants[:] = contestants or [Contestant(task, recipe)]
            columns = runs.setdefault(factor_key(factor), {})
            for column, value in contestants[0].run(factor, seed, parts).items():
                columns.setdefault(column, []).append(value)
            write_json(out, results)
            bar.update(row, advance=1)
        bar.remove_task(row)

    factor, tuning_seeds = 1.0, set_up["tuning_seeds"]
    if recipe.is_tuned:
        run(set_up["factors"], tuning_seeds, ["validation"])
        factor = chosen_factor(runs, tuning_seeds)
        while max(set_up["factors"]) <= factor < set_up["largest_factor"]:
            larger = 10.0 * factor
            run([larger], tuning_seeds, ["validation"])
            factor = chosen_factor(runs, tuning_seeds)
            if factor < larger:
                break
    run(sorted({1.0, factor}), results["seeds"], ["validation", "test"])
    console.print(f"{name}: factor {factor:g}", soft_wrap=True)


def set_up_of(options):
    """All that must be the same for two runs to be compared: a dict."""
    return {
        "data": options.data,
        "image_size": options.image_size,
        "labels_per_class": options.labels_per_class,
        "steps": options.steps,
        "batch_size": 50,
        "learning_rate": 0.02,
        "factors": FACTORS,
        "largest_factor": LARGEST_FACTOR,
        "tuning_seeds": [
            FIRST_TUNING_SEED + seed for seed in range(options.tuning_seeds)
        ],
        "student": STUDENT,
        "teacher": TEACHER,
        "teacher_steps": options.teacher_steps,
        "machine": describe_machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }


def finish(results, task):
    """Adds what follows from the runs, and what the teachers know."""
    results["parameters"] = {"student": task.network("s", STUDENT).count_params()}
    results["teachers"] = {}
    for name in results["runs"]:
        if RECIPES[name].reuses_classifier:
            model = Contestant(task, RECIPES[name]).predictor()
            results["parameters"][name] = model.count_params()
    kinds = {RECIPES[name].is_sigmoid for name in results["runs"]}
    for is_sigmoid in sorted(kinds):
        teacher = task.setting(is_sigmoid=is_sigmoid).teacher
        results["parameters"]["teacher"] = teacher.count_params()
        results["teachers"]["sigmoid" if is_sigmoid else "softmax"] = {
            f"{part}_accuracy": task.accuracy(teacher, part)
            for part in ("validation", "test")
        }
    results["summary"] = summary(results)


def _started(out, set_up):
    """The results so far."""
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        return {
            "set_up": set_up,
            "seeds": [],
            "not_applicable": NOT_APPLICABLE,
            "runs": {},
        }
    results = json.loads(out.read_text(encoding="utf-8"))
    changed = [key for key in set_up if results["set_up"].get(key) != set_up[key]]
    if changed:
        raise SystemExit(
            f"{out} was made with other settings ({', '.join(changed)}). Give the same "
            "ones to go on, or another --out."
        )
    return results


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="see keras_kd.data.load")
    parser.add_argument("--image-size", type=int, help="rows and columns to resize to")
    parser.add_argument("--labels-per-class", type=int, default=10)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--teacher-steps", type=int, default=1200)
    parser.add_argument("--seeds", type=int, default=10, help="of the test accuracies")
    parser.add_argument("--tuning-seeds", type=int, default=5)
    parser.add_argument(
        "--losses", nargs="+", choices=RECIPES, default=list(RECIPES), metavar="NAME"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks/results/every_loss.json"
    )
    parser.add_argument("--teachers", type=Path, default=ROOT / "runs/every_loss")
    parser.add_argument("--table", action="store_true", help="print --out as Markdown")
    options = parser.parse_args()
    # What all others are compared with, first.
    options.losses = list(dict.fromkeys([NO_KD, *options.losses]))
    return options


if __name__ == "__main__":
    main()

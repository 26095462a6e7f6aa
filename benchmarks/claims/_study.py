"""One claim on one data set: every seed of every condition, resumable."""

import argparse
import json
import platform
import statistics
from pathlib import Path

import keras
import tensorflow as tf
from _task import accuracy, learn, task_of

from keras_kd._files import write_json, written_whole
from keras_kd.benchmark.host import describe_machine
from keras_kd.teachers import label

ROOT = Path(__file__).parent
ALONE, DISTILLED = "labels alone", "distilled"
UNLABELLED = "distilled, alpha 0, T=4"
"""How usual students learn; distilled is alpha 0.1, temperature 4."""
ALPHAS = {DISTILLED: 0.1, UNLABELLED: 0.0}
TUNING_SEEDS = (100, 101)
"""Never used again, so that no figure was seen when the rates were chosen."""


class Study:
    """What is trained for a claim; what is done stays done.

    Args:
        task: `Task`.
        folder: `Path` for what was measured.

    Attributes:
        task: `Task`.
        rates: dict of a way to learn to its learning rate.
    """

    def __init__(self, task, folder):
        self.task, self.folder, self.rates = task, folder, {}
        folder.mkdir(parents=True, exist_ok=True)

    def measured(self, name, seed, measure):
        """What `measure(seed)` gave, a dict of JSON values; run once in a lifetime."""
        path = self.folder / name / f"{seed}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            keras.backend.clear_session()
            write_json(path, measure(seed))
        return _json(path)

    def model(self, name, train):
        """The model of a name; trained, and kept beside the studies, if need be."""
        path = self.folder.parent / "models" / f"{name}.keras"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f"unfinished_{path.name}")
            train().save(unfinished)
            unfinished.replace(path)
        return keras.models.load_model(path, compile=False)

    def teacher(self, seed=0, width=None):
        """The teacher of a seed, trained from all labels."""
        task, width = self.task, width or self.task.teacher_width
        return self.model(
            f"teacher width {width} seed {seed}",
            lambda: learn(
                task,
                task.model(width, seed),
                seed=seed,
                rate=task.teacher_rate,
                epochs=task.teacher_epochs,
            ),
        )

    def usual(self, way, seed, *, width=None, rate=None):
        """The student of a seed, trained once for all claims.

        Args:
            way: `ALONE`, `DISTILLED` or `UNLABELLED`.
            seed: int.
            width: int; default that of the usual student.
            rate: float; default the usual rate.
        """
        rate, width = rate or self.usual_rate(way), width or self.task.student_width
        return self.model(
            f"{way} width {width} seed {seed} rate {rate:g}",
            lambda: self._taught(way, rate, seed, width),
        )

    def usual_rate(self, way):
        """The learning rate of a way, chosen once for all claims."""
        way = DISTILLED if way == UNLABELLED else way
        if way not in self.rates:
            self.rates[way] = self._usual_rate(way)
        return self.rates[way]

    def _usual_rate(self, way):
        shared = Study(self.task, self.folder.parent / "usual")
        return shared.best_rate(way, lambda rate, seed: self._taught(way, rate, seed))

    def _taught(self, way, rate, seed, width=None):
        taught = {}
        if way in ALPHAS:
            teacher = self.answers(self.teacher())
            taught = {"teacher": teacher, "alpha": ALPHAS[way], "temperature": 4.0}
        student = self.task.student(seed, width)
        return learn(self.task, student, seed=seed, rate=rate, **taught)

    def answers(self, teacher, *, split=None, name="all", epochs=None):
        """What a student is taught by: the teacher, or its stored answers.

        A large teacher is asked once for all students, for other crops each epoch.

        Args:
            teacher: that of seed 0.
            split: `Split`, default the training part.
            name: str, of the examples.
            epochs: int, of how many there are other crops; default the usual.
        """
        task = self.task
        if task.name == "digits":
            return teacher
        views = epochs or task.epochs
        return label(
            teacher,
            split or task.data.train,
            self.folder.parent / f"soft targets of {views} epochs, {name}",
            views=views,
            augment=task.augment,
        )

    def rate(self, way, train, *, usual):
        """The learning rate of a way to learn.

        Args:
            way: str, its name.
            train: function of `(rate, seed)` that gives a trained model.
            usual: `ALONE` or `DISTILLED`, whose rate serves where rates are shared.
        """
        if way not in self.rates:
            if self.task.shares_rates:
                self.rates[way] = self._usual_rate(usual)
            else:
                self.rates[way] = self.best_rate(way, train)
        return self.rates[way]

    def best_rate(self, way, train):
        """The rate that is best on the validation part, see `rate`."""
        found = {}
        for rate in self.task.rates:
            found[rate] = statistics.fmean(
                self._validated(f"rates/{way}/{rate:g}", rate, seed, train)
                for seed in TUNING_SEEDS
            )
        return max(found, key=found.get)

    def _validated(self, name, rate, seed, train):
        part = self.task.data.validation
        measured = self.measured(
            name, seed, lambda seed: {"validation": accuracy(train(rate, seed), part)}
        )
        return measured["validation"]


def run(claim):
    """Measures a claim, and writes its result file and its figure.

    Args:
        claim: module with `TITLE`, `conditions(study)`, a dict of name to function of a
            seed that gives a dict of numbers, `table(results)`, `figure(results)` and
            `verdict(results)`; perhaps `widths(task)`, of its teacher and student.
    """
    options = _options(claim)
    # Small models gain nothing by a second thread, which can run another claim.
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    task = task_of(options.data)
    name = Path(claim.__file__).stem
    study = Study(task, options.runs / task.name / name)
    results = measure(claim, study, options.seeds)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{name}_{task.name}.json"
    write_json(path, results)
    draw(claim, results, path)
    print("\n".join([claim.TITLE, *claim.table(results), claim.verdict(results)]))


def draw(claim, results, path):
    """Writes the figure of a result file beside it."""
    with written_whole(path.with_suffix(".png")) as (picture,):
        claim.figure(results).savefig(picture, dpi=120, format="png")


def measure(claim, study, seeds):
    """The content of a claim's result file: each condition's numbers, seed by seed."""
    from keras_kd.cli._console import progress

    plan = claim.conditions(study)
    values = {name: {} for name in plan}
    with progress() as bar:
        task = bar.add_task(claim.TITLE, total=seeds * len(plan), note="")
        for seed in range(seeds):
            for name, train in plan.items():
                bar.update(task, note=f"{name}, seed {seed}")
                for key, value in study.measured(name, seed, train).items():
                    values[name].setdefault(key, []).append(value)
                bar.update(task, advance=1)
    return {
        "data": study.task.name,
        "seeds": seeds,
        "values": values,
        "rates": study.rates,
        "set_up": _set_up(study.task, claim),
    }


def _set_up(task, claim):
    data = task.data
    usual = task.teacher_width, task.student_width
    teacher, student = getattr(claim, "widths", lambda task: usual)(task)
    return {
        "examples": {
            part: len(getattr(data, part)) for part in ("train", "validation", "test")
        },
        "teacher_params": task.model(teacher, 0).count_params(),
        "student_params": task.model(student, 0).count_params(),
        "epochs": task.epochs,
        "batch_size": task.batch_size,
        "rates_tried": task.rates,
        "machine": describe_machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }


def _json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _options(claim):
    parser = argparse.ArgumentParser(description=claim.__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="digits, or folder:PATH")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/claims"))
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    return parser.parse_args()

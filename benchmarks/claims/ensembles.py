"""Ensembles compress into one: a student of five teachers beats the best of them."""

import sys

import keras
import numpy as np
from _drawing import dots, plot
from _numbers import difference, markdown, percent, points
from _study import ALONE, DISTILLED, run
from _task import (
    SECOND,
    learn,
    logits,
    scores,
    second_distiller,
    some_of_each_class,
    subset,
)
from keras import ops
from scipy.special import softmax

TITLE = "Ensembles compress into one"
CLAIM = (
    "One student keeps most of what an ensemble gains over a single model of its own "
    "size (Hinton et al., 2015, section 4, https://arxiv.org/abs/1503.02531)."
)
SET_UP = (
    "Five teachers of the student's own size learn from a tenth of the labels (digits; "
    "the same tenth, other weights and batches) or from all, as usual students do "
    "(CIFAR-10). Students see every training image without labels: alpha 0, "
    "temperature 4. On CIFAR-10 a second implementation too: keras.distillation with "
    "one model as its teacher that gives the ensemble's mean probabilities."
)
TEACHERS = 5
WIDTHS = {"digits": 8, "cifar10_small": 8}
SHARES = {"digits": 0.1, "cifar10_small": 1.0}
SINGLE, BEST = "single teachers, mean", "best single teacher"
ENSEMBLE = "ensemble of 5"
FROM_BEST, FROM_ALL = "student of the best single teacher", "student of the ensemble"
CHECKED = f"{FROM_ALL}, by {SECOND}"


def widths(task):
    """Of every teacher and of the student: the same."""
    return WIDTHS[task.name], WIDTHS[task.name]


def conditions(study):
    """Teachers, their ensemble and two students, of each seed's share of the labels."""
    task = study.task
    width = WIDTHS[task.name]

    def teachers(seed):
        if SHARES[task.name] == 1:
            return [study.usual(ALONE, 10 * seed + n) for n in range(TEACHERS)]
        return [
            study.model(
                f"{SHARES[task.name]:g} of labels, seed {seed}, teacher {number}",
                lambda n=number: _teacher(task, seed, n, width),
            )
            for number in range(TEACHERS)
        ]

    def best(seed):
        """The teacher that is best on validation; the first of equal ones."""
        found = teachers(seed)
        known = [scores(task, teacher)["validation"] for teacher in found]
        return found[int(np.argmax(known))]

    def taught(teacher, seed, rate, **options):
        student = task.model(width, 1000 + seed)
        options = {"labels": False, "alpha": 0} | options
        return learn(task, student, seed=seed, rate=rate, teacher=teacher, **options)

    def checked(seed):
        """The labels, which Keras's distiller wants, weigh nothing."""
        options = {"labels": True, "distiller": second_distiller}
        return scores(task, taught(_as_one(teachers(seed)), seed, rate, **options))

    def mean(seed):
        known = [scores(task, teacher) for teacher in teachers(seed)]
        return {key: float(np.mean([one[key] for one in known])) for key in known[0]}

    # Both students have the same rate, chosen for the one that is to be beaten.
    rate = study.rate(
        FROM_BEST, lambda rate, seed: taught(best(0), seed, rate), usual=DISTILLED
    )
    plan = {
        SINGLE: mean,
        BEST: lambda seed: scores(task, best(seed)),
        ENSEMBLE: lambda seed: _together(task, teachers(seed)),
        FROM_BEST: lambda seed: scores(task, taught(best(seed), seed, rate)),
        FROM_ALL: lambda seed: scores(task, taught(teachers(seed), seed, rate)),
    }
    return plan if task.name == "digits" else plan | {CHECKED: checked}


def _teacher(task, seed, number, width):
    rows = some_of_each_class(task.data.train, SHARES[task.name], seed)
    return learn(
        task,
        task.model(width, 10 * seed + number),
        seed=10 * seed + number,
        rate=task.teacher_rate,
        epochs=task.teacher_epochs,
        split=subset(task.data.train, rows),
    )


def _as_one(teachers):
    """A model whose softmax at temperature 4 is the mean of the teachers'."""
    inputs = keras.Input(teachers[0].input_shape[1:])
    named = [
        keras.Model(teacher.inputs, teacher.outputs[0], name=f"teacher_{number}")
        for number, teacher in enumerate(teachers)
    ]
    said = ops.stack([teacher(inputs) for teacher in named])
    return keras.Model(inputs, 4 * ops.log(ops.mean(ops.softmax(said / 4), axis=0)))


def _together(task, teachers):
    """Accuracies of the mean of the teachers' probabilities."""
    found = {}
    for name in ("validation", "test"):
        part = getattr(task.data, name)
        mean = np.mean(
            [softmax(logits(one, part), axis=-1) for one in teachers], axis=0
        )
        found[name] = float(np.mean(mean.argmax(-1) == part.arrays()[1]))
    return found


def table(results):
    """Accuracies, and how much more than the best single teacher."""
    values = results["values"]
    best = values[BEST]["test"]
    rows = [
        [
            name,
            percent(numbers["test"]),
            "" if name == BEST else points(numbers["test"], best),
        ]
        for name, numbers in values.items()
    ]
    return markdown(["model", "accuracy, %", "more than the best single teacher"], rows)


def figure(results):
    """Accuracies."""
    drawing, (panel,) = plot(5.6, 2.6)
    values = {name: one["test"] for name, one in results["values"].items()}
    dots(panel, values)
    panel.set_xlabel("test accuracy (%)")
    return drawing


def verdict(results):
    """Whether the ensemble's student beats the best teacher and that one's student."""
    values = {name: one["test"] for name, one in results["values"].items()}
    gain = difference(values[FROM_ALL], values[BEST])
    over = points(values[FROM_ALL], values[FROM_BEST])
    ensemble = points(values[ENSEMBLE], values[BEST])
    word = "Holds" if gain.is_above_zero else "Not shown here"
    word = "Does not hold here" if gain.is_below_zero else word
    said = (
        f"{word}: the ensemble is {ensemble} points better than its best member, its "
        f"student {points(values[FROM_ALL], values[BEST])} points, and {over} points "
        "better than a student of the best member."
    )
    if CHECKED in values:
        gap = points(values[FROM_ALL], values[CHECKED])
        said += f" Ours less that of {SECOND}: {gap} points."
    return said


if __name__ == "__main__":
    run(sys.modules[__name__])

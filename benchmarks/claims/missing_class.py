"""A class never shown: a student knows 3s of which it has never seen one."""

import sys

import numpy as np
from _drawing import dots, plot
from _numbers import markdown, percent, spread
from _study import run
from _task import learn, logits, subset

TITLE = "A class never shown"
CLAIM = (
    "A student that never sees a 3 learns from soft targets to know most 3s, once its "
    "bias for that class is corrected (Hinton et al., 2015, section 3, "
    "https://arxiv.org/abs/1503.02531: 98.6 % of the 3s; transfer set of 7s and 8s "
    "alone: 86.8 % of all)."
)
SET_UP = (
    "The usual student learns from the teacher (alpha 0, temperature 4) on training "
    "images without 3s, or on 7s and 8s alone; beside it, from labels without 3s. The "
    "bias of the missing class is raised (that of 7 and 8 lowered) by the amount that "
    "is best on the validation part, which shows every class."
)
MISSING = 3
CORRECTIONS = np.arange(0, 20.1, 0.1)
ALONE = "labels, no 3s"
WITHOUT = "distilled, no 3s"
ONLY = "distilled, 7s and 8s alone"
WHOLE = "distilled, all digits"


def conditions(study):
    """The four transfer sets."""
    task, teacher = study.task, study.teacher()
    labels = task.data.train.arrays()[1]
    shown = {
        ALONE: labels != MISSING,
        WITHOUT: labels != MISSING,
        ONLY: (labels == 7) | (labels == 8),
        WHOLE: labels >= 0,
    }

    def train(way, rate, seed):
        taught = {"teacher": teacher, "alpha": 0, "labels": False}
        return learn(
            task,
            task.student(seed),
            seed=seed,
            rate=rate,
            split=subset(task.data.train, np.flatnonzero(shown[way])),
            **({} if way == ALONE else taught),
        )

    # One rate for all students with a teacher, chosen where all digits are shown.
    rates = {
        way: study.rate(way, lambda rate, seed, way=way: train(way, rate, seed))
        for way in (ALONE, WHOLE)
    }
    return {
        way: lambda seed, way=way: _found(
            task,
            train(way, rates[ALONE if way == ALONE else WHOLE], seed),
            raised=[7, 8] if way == ONLY else [MISSING],
            sign=-1 if way == ONLY else 1,
        )
        for way in shown
    }


def _found(task, student, *, raised, sign):
    """Accuracies before and after the biases are corrected."""
    said = logits(student, task.data.validation)
    labels = task.data.validation.arrays()[1]
    right = [
        np.mean(_corrected(said, raised, sign * one).argmax(-1) == labels)
        for one in CORRECTIONS
    ]
    # Of equally good ones the middle one, which is farthest from the worse ones.
    best = float(np.median(CORRECTIONS[np.flatnonzero(right == np.max(right))]))
    test, labels = logits(student, task.data.test), task.data.test.arrays()[1]
    found = {"correction": best}
    for name, scores in (
        ("", test),
        ("corrected ", _corrected(test, raised, sign * best)),
    ):
        chosen = scores.argmax(-1)
        found[f"{name}test"] = float(np.mean(chosen == labels))
        of_missing = chosen[labels == MISSING]
        found[f"{name}test of 3s"] = float(np.mean(of_missing == MISSING))
    return found


def _corrected(scores, classes, amount):
    scores = scores.copy()
    scores[:, classes] += amount
    return scores


KEYS = ("test", "test of 3s", "corrected test", "corrected test of 3s")


def table(results):
    """Accuracies on all digits and on 3s, before and after the correction."""
    head = ["student", "all, %", "3s, %", "corrected: all, %", "corrected: 3s, %"]
    rows = [
        [name, *(percent(numbers[key]) for key in KEYS)]
        for name, numbers in results["values"].items()
    ]
    return markdown(head, rows)


def figure(results):
    """How many of the 3s are known."""
    drawing, panels = plot(4.8, 2.6, columns=2)
    values = results["values"]
    dots(panels[0], {name: one["test of 3s"] for name, one in values.items()})
    dots(panels[1], {name: one["corrected test of 3s"] for name, one in values.items()})
    panels[1].set_yticklabels([])
    for panel, title in zip(panels, ("as trained", "bias corrected"), strict=True):
        panel.set_title(title, size=10)
        panel.set_xlabel("3s of the test part that are known (%)")
        panel.set_xlim(0, 100)
    return drawing


def verdict(results):
    """Whether most 3s are known, by means over the seeds."""
    values = results["values"]
    known = spread(values[WITHOUT]["corrected test of 3s"]).mean
    word = "Holds" if known > 0.5 else "Does not hold here"
    before, after = (
        percent(values[WITHOUT][f"{c}test of 3s"]) for c in ("", "corrected ")
    )
    alone = percent(values[ALONE]["corrected test of 3s"])
    only = percent(values[ONLY]["corrected test"])
    return (
        f"{word}: of 3s, which it never saw, the distilled student knows {before} %, "
        f"and {after} % with its bias corrected; the student of labels, corrected too, "
        f"{alone} %. From 7s and 8s alone a student knows {only} % of all digits."
    )


if __name__ == "__main__":
    run(sys.modules[__name__])

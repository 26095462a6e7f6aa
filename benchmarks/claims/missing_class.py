"""A class never shown: a student knows 3s of which it has never seen one."""

import sys

import numpy as np
from _drawing import dots, plot
from _numbers import markdown, percent, spread
from _study import ALONE as LABELS
from _study import DISTILLED, UNLABELLED, run
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
    "images without one class (3s; CIFAR-10: cats), or on two classes alone (7s and "
    "8s; horses and ships); beside it, from labels without the one class. The bias of "
    "the class left out is raised (that of the two is lowered) by the amount that is "
    "best on the validation part, which shows every class. Holds when most of what a "
    "student of all classes knows of the class is known."
)
MISSING, TWO = 3, (7, 8)
NAMES = {
    "digits": ("3s", "7s and 8s", "digits"),
    "cifar10_small": ("cats", "horses and ships", "images"),
}
CORRECTIONS = np.arange(0, 20.1, 0.1)
ALONE = "labels, one class left out"
WITHOUT = "distilled, one class left out"
ONLY = "distilled, two classes alone"
WHOLE = "distilled, all classes"
KEYS = ("test", "left out", "corrected test", "corrected left out")


def conditions(study):
    """The four transfer sets."""
    task, teacher = study.task, study.teacher()
    labels = task.data.train.arrays()[1]
    shown = {
        ALONE: labels != MISSING,
        WITHOUT: labels != MISSING,
        ONLY: np.isin(labels, TWO),
    }

    def train(way, rate, seed):
        if way == WHOLE:
            return study.usual(UNLABELLED, seed, rate=rate)
        split, taught = subset(task.data.train, np.flatnonzero(shown[way])), {}
        if way != ALONE:
            answers = study.answers(teacher, split=split, name=way)
            taught = {"teacher": answers, "alpha": 0}
        return learn(
            task, task.student(seed), seed=seed, rate=rate, split=split, **taught
        )

    # One rate for all students with a teacher, chosen where all digits are shown.
    rates = {
        way: study.rate(
            way, lambda rate, seed, way=way: train(way, rate, seed), usual=usual
        )
        for way, usual in ((ALONE, LABELS), (WHOLE, DISTILLED))
    }
    return {
        way: lambda seed, way=way: _found(
            task,
            train(way, rates[ALONE if way == ALONE else WHOLE], seed),
            raised=list(TWO) if way == ONLY else [MISSING],
            sign=-1 if way == ONLY else 1,
        )
        for way in (*shown, WHOLE)
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
        found[f"{name}left out"] = float(np.mean(of_missing == MISSING))
    return found


def _corrected(scores, classes, amount):
    scores = scores.copy()
    scores[:, classes] += amount
    return scores


def table(results):
    """Accuracies on all classes and on the one, before and after the correction."""
    one = NAMES[results["data"]][0]
    head = [
        "student",
        "all, %",
        f"{one}, %",
        "corrected: all, %",
        f"corrected: {one}, %",
    ]
    rows = [
        [name, *(percent(numbers[key]) for key in KEYS)]
        for name, numbers in results["values"].items()
    ]
    return markdown(head, rows)


def figure(results):
    """How much of the class left out is known."""
    drawing, panels = plot(4.8, 2.6, columns=2)
    values = results["values"]
    for panel, key, title in zip(
        panels, KEYS[1::2], ("as trained", "bias corrected"), strict=True
    ):
        dots(panel, {name: numbers[key] for name, numbers in values.items()})
        panel.set_title(title, size=10)
        one = NAMES[results["data"]][0]
        panel.set_xlabel(f"{one} of the test part that are known (%)")
        panel.set_xlim(0, 100)
    panels[1].set_yticklabels([])
    return drawing


def verdict(results):
    """Whether most of the class is known, by means over the seeds."""
    values = results["values"]
    known, most = (
        spread(values[way]["corrected left out"]).mean for way in (WITHOUT, WHOLE)
    )
    word = "Holds" if known > most / 2 else "Does not hold here"
    before, after = (
        percent(values[WITHOUT][f"{c}left out"]) for c in ("", "corrected ")
    )
    alone, every = (
        percent(values[way]["corrected left out"]) for way in (ALONE, WHOLE)
    )
    only = percent(values[ONLY]["corrected test"])
    one, two, all_ = NAMES[results["data"]]
    return (
        f"{word}: of {one}, which it never saw, the distilled student knows {before} "
        f"%, and {after} % with its bias corrected; the student of labels, corrected "
        f"too, {alone} %; one that saw every class {every} %. From {two} alone a "
        f"student knows {only} % of all {all_}."
    )


if __name__ == "__main__":
    run(sys.modules[__name__])

"""Less data: with a teacher a fraction of the labels is enough."""

import sys

from _drawing import legend, lines, plot
from _numbers import difference, markdown, percent, points
from _study import ALONE as LABELS
from _study import DISTILLED, UNLABELLED, run
from _task import learn, scores, some_of_each_class, subset

TITLE = "Less data"
CLAIM = (
    "Soft targets let a student learn from a small part of the labels (Hinton et al., "
    "2015, section 6, https://arxiv.org/abs/1503.02531: 3 % of them), and unlabelled "
    "examples serve as a transfer set."
)
SET_UP = (
    "The share of labelled training examples falls; steps and student stay. Three "
    "ways: those labels alone; all images without labels as a transfer set of a "
    "teacher that had all labels (alpha 0, temperature 4); the same of a teacher that "
    "had only the student's few labels, which asks for nothing more than the images "
    "(on CIFAR-10 it has half the channels)."
)
SHARES = {"digits": (1.0, 0.3, 0.1, 0.03), "cifar10_small": (1.0, 0.3, 0.1)}
ALONE = "few labels alone"
WELL_TAUGHT = "transfer set, teacher of all labels"
SELF_MADE = "transfer set, teacher of the same few labels"
WAYS = (ALONE, WELL_TAUGHT, SELF_MADE)


def conditions(study):
    """Every share in every way."""
    task = study.task

    def labelled(share, seed):
        return subset(task.data.train, some_of_each_class(task.data.train, share, seed))

    def few_teacher(share, seed):
        width = task.teacher_width // task.narrower
        if share == 1:
            return study.teacher(seed, width)
        return learn(
            task,
            task.model(width, seed),
            seed=seed,
            rate=task.teacher_rate,
            epochs=task.teacher_epochs,
            split=labelled(share, seed),
        )

    def train(way, share, rate, seed):
        # What does not depend on the share is trained once.
        if way == WELL_TAUGHT:
            return study.usual(UNLABELLED, seed, rate=rate)
        if way == ALONE and share == 1:
            return study.usual(LABELS, seed, rate=rate)
        student = task.student(seed)
        if way == ALONE:
            few = labelled(share, seed)
            return learn(task, student, seed=seed, rate=rate, split=few)
        teacher, unlabelled = few_teacher(share, seed), {"alpha": 0, "labels": False}
        return learn(task, student, seed=seed, rate=rate, teacher=teacher, **unlabelled)

    # Chosen with a tenth of the labels; both transfer sets have one rate.
    rates = {
        way: study.rate(
            way, lambda rate, seed, way=way: train(way, 0.1, rate, seed), usual=usual
        )
        for way, usual in ((ALONE, LABELS), (WELL_TAUGHT, DISTILLED))
    }
    rates[SELF_MADE] = rates[WELL_TAUGHT]
    return {
        f"{way}, {share:.0%}": lambda seed, way=way, share=share: scores(
            task, train(way, share, rates[way], seed)
        )
        for share in SHARES[task.name]
        for way in WAYS
    }


def _tests(results, way):
    values, shares = results["values"], SHARES[results["data"]]
    return [values[f"{way}, {share:.0%}"]["test"] for share in shares]


def table(results):
    """Accuracy by share of labels."""
    head = ["labels", *(f"{way}, %" for way in WAYS)]
    head += ["gain of the first transfer set", "gain of the second"]
    rows = []
    for number, share in enumerate(SHARES[results["data"]]):
        alone, *taught = (_tests(results, way)[number] for way in WAYS)
        gains = [points(one, alone) for one in taught]
        rows.append([f"{share:.0%}", *map(percent, (alone, *taught)), *gains])
    return markdown(head, rows)


def figure(results):
    """Accuracy against the share of labels."""
    drawing, (panel,) = plot(5.2)
    percents = [100 * share for share in SHARES[results["data"]]]
    lines(panel, percents, {way: _tests(results, way) for way in WAYS})
    panel.set_xscale("log")
    panel.set_xticks(percents, [f"{one:g}" for one in percents])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("training examples with labels (%)")
    panel.set_ylabel("test accuracy (%)")
    legend(panel, loc="lower right")
    return drawing


def verdict(results):
    """At which shares either transfer set helps beyond doubt."""
    said, shares = {}, SHARES[results["data"]]
    for way in (WELL_TAUGHT, SELF_MADE):
        pairs = zip(shares, _tests(results, way), _tests(results, ALONE), strict=True)
        helped = [
            f"{share:.0%}"
            for share, taught, alone in pairs
            if difference(taught, alone).is_above_zero
        ]
        said[way] = ", ".join(helped)
    few = points(_tests(results, WELL_TAUGHT)[-1], _tests(results, ALONE)[-1])
    return (
        f"{'Holds' if said[WELL_TAUGHT] else 'Does not hold here'}: a transfer set is "
        f"better than its labels alone beyond doubt, with a teacher of all labels at "
        f"{said[WELL_TAUGHT] or 'no share'}, with one of the same few labels at "
        f"{said[SELF_MADE] or 'no share'}. With {shares[-1]:.0%} of the labels the "
        f"teacher of all labels gives {few} points."
    )


if __name__ == "__main__":
    run(sys.modules[__name__])

"""Inter-class relations: a student learns which classes its teacher finds alike."""

import sys

import numpy as np
from _drawing import dots, plot
from _numbers import difference, markdown, spread
from _study import ALONE, DISTILLED, UNLABELLED, run
from _task import learn, logits, scores
from scipy.stats import spearmanr

from keras_kd import explain

TITLE = "Inter-class relations"
CLAIM = (
    "Soft targets hand over the teacher's similarities between classes (Hinton et al., "
    "2015, section 1, https://arxiv.org/abs/1503.02531)."
)
SET_UP = (
    "Mean soft target (temperature 4) of each class on the test part, the diagonal "
    "left out: Spearman's rank correlation of the student's with the teacher's, in all "
    "and as the mean over single examples (the order of all classes). Beside them "
    "other teachers, of labels (on CIFAR-10 with half the channels)."
)
TEMPERATURE = 4.0
OTHER = "another teacher, of labels"
UNSOFTENED = "distilled, alpha 0, T=1"


def conditions(study):
    """Each way to learn; as a yardstick teachers of other seeds."""
    task, teacher = study.task, study.teacher()
    rates = {way: study.usual_rate(way) for way in (ALONE, DISTILLED)}
    known = logits(teacher, task.data.test)

    def unsoftened(seed):
        """At the rate of usual students with a teacher."""
        options = {"teacher": study.answers(teacher), "alpha": 0, "temperature": 1.0}
        student = task.student(seed)
        return learn(task, student, seed=seed, rate=rates[DISTILLED], **options)

    usual = (ALONE, DISTILLED, UNLABELLED)
    plan = {way: lambda seed, way=way: study.usual(way, seed) for way in usual}
    plan[UNSOFTENED] = unsoftened
    width = task.teacher_width // task.narrower
    plan[OTHER] = lambda seed: study.teacher(seed + 1, width)
    return {
        name: lambda seed, model=model: _found(task, model(seed), known)
        for name, model in plan.items()
    }


def _found(task, model, known):
    labels, said = task.data.test.arrays()[1], logits(model, task.data.test)
    matrices = [
        explain.class_similarity(one, labels, temperature=TEMPERATURE)
        for one in (known, said)
    ]
    off = ~np.eye(len(matrices[0]), dtype=bool)
    return {
        **scores(task, model),
        "classes": float(spearmanr(*(matrix[off] for matrix in matrices)).statistic),
        "examples": float(np.nanmean(explain.rank_agreement(known, said))),
    }


def table(results):
    """Rank correlations."""
    head = ["model", "similarity of classes", "order of classes, mean of examples"]
    rows = []
    for name, one in results["values"].items():
        cells = []
        for key in ("classes", "examples"):
            found = spread(one[key])
            cells.append(f"{found.mean:.3f} ± {found.deviation:.3f}")
        rows.append([name, *cells])
    return markdown(head, rows)


def figure(results):
    """Rank correlations of each way to learn."""
    drawing, panels = plot(4.4, 2.8, columns=2)
    for panel, key, label in zip(
        panels,
        ("classes", "examples"),
        ("similarity of classes", "order of classes"),
        strict=True,
    ):
        dots(panel, {n: v[key] for n, v in results["values"].items()}, factor=1)
        panel.set_xlabel(f"rank correlation with the teacher, {label}")
        panel.set_xlim(0, 1)
    panels[1].set_yticklabels([])
    return drawing


def verdict(results):
    """Whether the correlation is above that of labels alone beyond doubt."""
    values = results["values"]
    found = {
        key: difference(values[DISTILLED][key], values[ALONE][key])
        for key in ("classes", "examples")
    }
    word = "Holds" if all(f.is_above_zero for f in found.values()) else "Not shown here"
    alone, taught, other = (
        spread(values[name]["classes"]).mean for name in (ALONE, DISTILLED, OTHER)
    )
    change = found["classes"]
    return (
        f"{word}: the student's class similarities correlate with the teacher's at "
        f"{taught:.2f} with distillation and {alone:.2f} without ({change.mean:+.2f} "
        f"[{change.low:+.2f}, {change.high:+.2f}]); a second teacher's at {other:.2f}."
    )


if __name__ == "__main__":
    run(sys.modules[__name__])

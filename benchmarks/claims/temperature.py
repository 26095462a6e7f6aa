"""Temperature and alpha: soft targets help, the more so when they are softened."""

import itertools
import sys

import numpy as np
from _drawing import plot
from _numbers import difference, markdown, percent, points, spread
from _study import ALONE, DISTILLED, UNLABELLED, run
from _task import accuracy, learn, logits, scores

from keras_kd import _figures, explain
from keras_kd.losses import SoftTargetDistillation

TITLE = "Temperature and alpha"
CLAIM = (
    "Softened targets teach more than labels alone, temperatures between 2 and 5 and a "
    "small weight of the labels being best; KL divergence and cross-entropy give the "
    "same student (Hinton et al., 2015, https://arxiv.org/abs/1503.02531)."
)
SET_UP = (
    "One teacher and the usual student at every temperature and alpha, both losses "
    "scaled by T². Beside them the entropy of the targets on the training part."
)
TEMPERATURES = {"digits": (1, 2, 3, 4, 5, 10, 20), "cifar10_small": (1, 4, 10)}
ALPHAS = {"digits": (0, 0.1, 0.3, 0.5, 0.7, 0.9), "cifar10_small": (0, 0.5)}
FORMS = "cross-entropy form, T=4, alpha=0.1"


def conditions(study):
    """The surface, labels alone, and the form of cross-entropy."""
    task, teacher = study.task, study.teacher()
    rates = {way: study.usual_rate(way) for way in (ALONE, DISTILLED)}

    def taught(seed, temperature, alpha):
        way = {(4, 0.1): DISTILLED, (4, 0): UNLABELLED}.get((temperature, alpha))
        return study.usual(way, seed) if way else trained(seed, temperature, alpha)

    def trained(seed, temperature, alpha, divergence="kl"):
        return learn(
            task,
            task.student(seed),
            seed=seed,
            rate=rates[DISTILLED],
            teacher=study.answers(teacher),
            alpha=alpha,
            distillation_losses=SoftTargetDistillation(
                temperature, divergence=divergence
            ),
        )

    plan = {
        "targets": lambda seed: _targets(task, teacher),
        ALONE: lambda seed: scores(task, study.usual(ALONE, seed)),
    }
    for t, a in _settings(task.name):
        plan[_name(t, a)] = lambda seed, t=t, a=a: scores(task, taught(seed, t, a))
    plan[FORMS] = lambda seed: _forms(
        task,
        {
            divergence: trained(seed, 4, 0.1, divergence)
            for divergence in ("kl", "cross_entropy")
        },
    )
    return plan


def _settings(data):
    return itertools.product(TEMPERATURES[data], ALPHAS[data])


def _name(temperature, alpha):
    return f"T={temperature}, alpha={alpha}"


def _targets(task, teacher):
    chosen = TEMPERATURES[task.name]
    found = explain.soft_target_entropy(logits(teacher, task.data.train), chosen)
    bits = found.entropy_bits.mean(axis=1)
    return {f"T={t}": float(one) for t, one in zip(chosen, bits, strict=True)}


def _forms(task, students):
    """How far the students of both forms are apart, of the same weights and batches."""
    said = [logits(student, task.data.test) for student in students.values()]
    weights = [np.concatenate([w.ravel() for w in student.get_weights()])
               for student in students.values()]  # fmt: skip
    return {
        "test": accuracy(students["cross_entropy"], task.data.test),
        "kl_test": accuracy(students["kl"], task.data.test),
        "same_classes": float(np.mean(said[0].argmax(-1) == said[1].argmax(-1))),
        "largest_weight_difference": float(np.abs(weights[0] - weights[1]).max()),
    }


def surface(results):
    """Test accuracies `(alphas, temperatures)`: lists of the seeds' values."""
    values, data = results["values"], results["data"]
    return [
        [values[_name(t, alpha)]["test"] for t in TEMPERATURES[data]]
        for alpha in ALPHAS[data]
    ]


def table(results):
    """The surface, with entropies, and the two forms."""
    values, temperatures = results["values"], TEMPERATURES[results["data"]]
    head = ["alpha", *(f"T = {t}" for t in temperatures)]
    rows = [
        [f"{alpha:g}", *map(percent, row)]
        for alpha, row in zip(ALPHAS[results["data"]], surface(results), strict=True)
    ]
    blank = [""] * (len(temperatures) - 1)
    rows.append(["1 (labels alone)", percent(values[ALONE]["test"]), *blank])
    bits = [f"{values['targets'][f'T={t}'][0]:.2f}" for t in temperatures]
    rows.append(["entropy of the targets, bits", *bits])
    forms = values[FORMS]
    same = 100 * spread(forms["same_classes"]).mean
    return [
        *markdown(head, rows),
        "",
        f"Cross-entropy against KL: {points(forms['test'], forms['kl_test'], 2)} "
        f"points; {same:.1f} % of the test examples get the same class; the largest "
        f"difference of a weight is {max(forms['largest_weight_difference']):.1g}.",
    ]


def figure(results):
    """The surface as a heat map, and the entropy of the targets."""
    drawing, (panel, other) = plot(columns=2)
    temperatures, alphas = TEMPERATURES[results["data"]], ALPHAS[results["data"]]
    means = [[100 * spread(v).mean for v in row] for row in surface(results)]
    alone = 100 * spread(results["values"][ALONE]["test"]).mean
    means.append([alone] * len(temperatures))
    image = panel.imshow(means, cmap="Blues", aspect="auto")
    middle = (image.norm.vmin + image.norm.vmax) / 2
    for row, line in enumerate(means):
        for column, value in enumerate(line):
            colour = "white" if value > middle else _figures.INK
            panel.text(column, row, f"{value:.1f}", ha="center", va="center",
                       color=colour, fontsize=8)  # fmt: skip
    panel.grid(visible=False)
    panel.set_xticks(range(len(temperatures)), temperatures)
    panel.set_yticks(range(len(means)), [f"{a:g}" for a in (*alphas, 1)])
    panel.set_xlabel("temperature")
    panel.set_ylabel("alpha, weight of the labels")
    _figures.title(panel, "test accuracy (%), mean over seeds")
    bits = [results["values"]["targets"][f"T={t}"][0] for t in temperatures]
    other.plot(temperatures, bits, color=_figures.BLUE, marker="o")
    other.axhline(np.log2(10), color="0.5", linestyle="--", linewidth=1)
    other.annotate("10 equal classes", (1, np.log2(10)), (0, -12),
                   textcoords="offset points")  # fmt: skip
    other.set_xlabel("temperature")
    other.set_ylabel("mean entropy of the soft targets (bits)")
    return drawing


def verdict(results):
    """Where the surface is above labels alone beyond doubt; its best on validation."""
    values = results["values"]
    alone = values[ALONE]["test"]
    names = [_name(t, a) for t, a in _settings(results["data"])]
    better = [n for n in names if difference(values[n]["test"], alone).is_above_zero]
    worse = [n for n in names if difference(values[n]["test"], alone).is_below_zero]
    level = spread(alone).mean
    above = sum(spread(values[name]["test"]).mean > level for name in names)
    best = max(names, key=lambda name: spread(values[name]["validation"]).mean)
    gain = points(values[best]["test"], alone)
    soft = [n for n in names if n.startswith(("T=2,", "T=3,", "T=4,", "T=5,"))]
    count = len(set(soft) & set(better))
    said = (
        f"of the {len(names)} settings {above} have a higher mean than labels alone, "
        f"{len(better)} are better "
        f"beyond doubt and {len(worse)} worse, of the {len(soft)} with T from 2 to 5 "
        f"{count} are better. Best on validation is {best}: {gain} points."
    )
    word = "Holds in part" if better else "Not shown here"
    if worse and not better:
        word = "Does not hold here"
    return f"{'Holds' if count == len(soft) else word}: {said}"


if __name__ == "__main__":
    run(sys.modules[__name__])

"""Regularisation and calibration: soft targets against smoothed labels."""

import sys

import keras
import numpy as np
from _drawing import dots, plot
from _numbers import difference, markdown, percent, points, spread
from _study import ALONE, DISTILLED, run
from _task import learn, logits
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

from keras_kd import explain
from keras_kd.losses.logits.soft_target import soft_target_divergence

TITLE = "Regularisation and calibration"
CLAIM = (
    "Soft targets regularise: a smaller gap between training and test, better "
    "calibrated probabilities, and more than smoothed labels of the same entropy give, "
    "because they say which wrong classes are likely (Müller et al., 2019, "
    "https://arxiv.org/abs/1906.02629; Yuan et al., 2020, "
    "https://arxiv.org/abs/1909.11723)."
)
SET_UP = (
    "The usual student without augmentation, on labels; on soft targets (temperature 1 "
    "and 4, the loss at that temperature); on smoothed labels whose mean entropy is "
    "that of the soft targets, in the same loss at the same temperature; and on the "
    "teacher's own probabilities with those of the wrong classes exchanged at random "
    "for each class. Gap: cross-entropy on test less that on training examples. "
    "Expected calibration error (ECE) over 15 bins, of probabilities at temperature 1. "
    "One learning rate for labels and temperature 1, whose losses are the same: chosen "
    "apart in a first run on digits they were ten times apart, which was all that run "
    "showed."
)
TEMPERATURES = (1, 4)
LABELS = "labels"
SOFT, SMOOTH, MIXED = "soft targets", "smoothed labels", "wrong classes exchanged"
JUDGED = {"test": ("accuracy", 1), "gap": ("gap", -1), "ece": ("ECE", -1)}
"""What is judged, with its name and the sign of what is better."""
KEYS = ("test", "gap", "ece", "nll")


def conditions(study):
    """Labels, and three kinds of targets at each temperature."""
    task, teacher = study.task, study.teacher()
    said = logits(teacher, task.data.train)
    labels = task.data.train.arrays()[1]

    def train(kind, temperature, rate, seed):
        student = task.student(seed)
        if kind == LABELS:
            return learn(task, student, seed=seed, rate=rate, augment=None)
        targets = _targets(kind, said, labels, temperature, seed)
        return _fit(task, student, targets, temperature, seed, rate)

    # At temperature 1 the loss is that of labels, and so is the rate.
    rates = {
        1: study.rate(
            LABELS, lambda rate, seed: train(LABELS, 1, rate, seed), usual=ALONE
        ),
        4: study.rate(
            f"{SOFT}, T=4",
            lambda rate, seed: train(SOFT, 4, rate, seed),
            usual=DISTILLED,
        ),
    }
    plan = {
        "teacher": lambda seed: _found(task, teacher),
        LABELS: lambda seed: _found(task, train(LABELS, 1, rates[1], seed)),
    }
    for t in TEMPERATURES:
        for kind in (SOFT, SMOOTH, MIXED):
            plan[f"{kind}, T={t}"] = lambda seed, kind=kind, t=t: _found(
                task, train(kind, t, rates[t], seed)
            )
    return plan


def _targets(kind, said, labels, temperature, seed):
    """Logits whose softmax at the temperature are the targets of this kind."""
    if kind == SOFT:
        return said
    soft = softmax(said / temperature, axis=-1)
    classes = soft.shape[1]
    if kind == SMOOTH:
        entropy = np.mean(-np.sum(soft * np.log(soft + 1e-30), axis=-1))
        targets = _smoothed(np.eye(classes)[labels], entropy)
    else:
        generator = np.random.default_rng(seed)
        targets = soft.copy()
        for label in range(classes):
            wrong = np.delete(np.arange(classes), label)
            rows = np.flatnonzero(labels == label)
            targets[np.ix_(rows, wrong)] = soft[
                np.ix_(rows, generator.permutation(wrong))
            ]
    return temperature * np.log(targets + 1e-30)


def _smoothed(one_hot, entropy):
    """Labels that share an entropy (nats) with other targets, on the mean."""
    classes = one_hot.shape[1]

    def excess(amount):
        right, wrong = 1 - amount + amount / classes, amount / classes
        found = -right * np.log(right) - (classes - 1) * wrong * np.log(wrong)
        return found - entropy

    amount = brentq(excess, 1e-9, 1 - 1e-9)
    return (1 - amount) * one_hot + amount / classes


def _fit(task, student, targets, temperature, seed, rate):
    """Trains on stored targets, with the loss of soft targets at a temperature."""
    steps = task.epochs * task.steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    keras.utils.set_random_seed(seed)

    def loss(given, found):
        return soft_target_divergence(given, found, temperature=float(temperature))

    student.compile(keras.optimizers.Adam(schedule), loss)
    student.fit(
        task.data.train.arrays()[0],
        targets.astype("float32"),
        batch_size=task.batch_size,
        epochs=task.epochs,
        verbose=0,
    )
    return student


def _found(task, model):
    """Accuracy, cross-entropy, its gap and ECE."""
    losses, right = {}, {}
    for name in ("train", "test", "validation"):
        part = getattr(task.data, name)
        scores, labels = logits(model, part), part.arrays()[1]
        chosen = log_softmax(scores.astype("float64"), axis=-1)
        losses[name] = -float(np.mean(chosen[np.arange(len(labels)), labels]))
        right[name] = float(np.mean(scores.argmax(-1) == labels))
        if name == "test":
            ece = explain.reliability(scores, labels, from_logits=True).ece
    return {
        "test": right["test"],
        "validation": right["validation"],
        "train": right["train"],
        "nll": losses["test"],
        "gap": losses["test"] - losses["train"],
        "ece": float(ece),
    }


def table(results):
    """Accuracy, gap, cross-entropy and ECE of each kind of targets."""
    head = ["learns from", "accuracy, %", "gap of cross-entropy", "cross-entropy"]
    head += ["ECE, %", "accuracy more than labels"]
    values, rows = results["values"], []
    for name, one in values.items():
        more = (
            points(one["test"], values[LABELS]["test"])
            if name not in (LABELS, "teacher")
            else ""
        )
        gap, nll = (f"{spread(one[key]).mean:.3f}" for key in ("gap", "nll"))
        rows.append([name, percent(one["test"]), gap, nll, percent(one["ece"]), more])
    return markdown(head, rows)


def figure(results):
    """Accuracy, gap and ECE side by side."""
    drawing, panels = plot(3.6, 3.2, columns=3)
    values = {k: v for k, v in results["values"].items() if k != "teacher"}
    shown = (("test", "test accuracy (%)", 100), ("gap", "gap of cross-entropy", 1))
    shown += (("ece", "expected calibration error (%)", 100),)
    for panel, (key, label, factor) in zip(panels, shown, strict=True):
        dots(panel, {name: one[key] for name, one in values.items()}, factor=factor)
        panel.set_xlabel(label)
    for panel in panels[1:]:
        panel.set_yticklabels([])
    return drawing


def verdict(results):
    """What soft targets change beyond doubt, against labels and smoothed labels."""
    values, said, better, worse = results["values"], [], 0, 0
    for t in TEMPERATURES:
        for other in (LABELS, f"{SMOOTH}, T={t}", f"{MIXED}, T={t}"):
            effects = _effects(values[f"{SOFT}, T={t}"], values[other])
            if effects:
                said.append(f"at T={t} {', '.join(effects)} than with {other}")
            if other == LABELS:
                better += sum(one.startswith("better") for one in effects)
                worse += sum(one.startswith("worse") for one in effects)
    word = "Not shown here"
    if better or worse:
        word = "Holds in part" if better else "Does not hold here"
    if better == len(JUDGED) * len(TEMPERATURES):
        word = "Holds"
    found = "; ".join([*said, "otherwise"] if said else ["soft targets make"])
    return (
        f"{word}: {found} no proven difference in accuracy, gap or ECE against labels, "
        "smoothed labels or exchanged classes."
    )


def _effects(soft, other):
    """What soft targets change beyond doubt, as "better gap"."""
    found = []
    for key, (name, sign) in JUDGED.items():
        change = difference(soft[key], other[key])
        above, below = change.is_above_zero, change.is_below_zero
        if above or below:
            found.append(f"{'better' if above == (sign > 0) else 'worse'} {name}")
    return found


if __name__ == "__main__":
    run(sys.modules[__name__])

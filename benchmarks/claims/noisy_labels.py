"""Noisy labels: a teacher protects its student from wrong labels."""

import sys

import keras
import numpy as np
from _drawing import legend, lines, plot
from _numbers import difference, markdown, percent, points
from _study import ALONE as LABELS
from _study import DISTILLED, run
from _task import accuracy, learn, scores, subset

TITLE = "Noisy labels"
CLAIM = (
    "Distillation makes a student robust to wrong labels, if the teacher did not learn "
    "them by heart (Li et al., 2017, https://arxiv.org/abs/1703.02391: a teacher of a "
    "few clean labels guides learning from many noisy ones)."
)
SET_UP = (
    "A share of the training labels is replaced by another class, drawn at random, and "
    "so is that share of the validation labels on which anything is chosen. Students "
    "learn from the noisy labels alone, and from them and a teacher (alpha 0.1, "
    "temperature 4): one of clean labels; one of the same noisy labels, trained to the "
    "end; one of the same, with the weights of its best epoch on noisy validation (on "
    "CIFAR-10 teachers of noisy labels have half the channels)."
)
SHARES = {"digits": (0.0, 0.2, 0.4, 0.6), "cifar10_small": (0.0, 0.4)}
ALONE = "noisy labels alone"
STOPPED_ALONE = "noisy labels alone, best epoch"
CLEAN = "teacher of clean labels"
TO_THE_END = "teacher of noisy labels, to the end"
STOPPED = "teacher of noisy labels, best epoch"
END, BEST = "end", "best epoch"
WAYS = (ALONE, STOPPED_ALONE, CLEAN, TO_THE_END, STOPPED)


def conditions(study):
    """Every share of noise in every way, and the teachers themselves."""
    task = study.task

    def train(way, share, rate, seed):
        if way in (ALONE, STOPPED_ALONE):
            ends = _student_alone(study, share, rate, seed)
            return ends[BEST if way == STOPPED_ALONE else END]
        if way == CLEAN and share == 0:
            return study.usual(DISTILLED, seed, rate=rate)
        teacher = _teacher(study, way, share, seed)
        split, student = noisy(task.data.train, share, seed), task.student(seed)
        return learn(task, student, seed=seed, rate=rate, split=split, teacher=teacher)

    # With some of the labels wrong; all students with a teacher have one rate.
    some = SHARES[task.name][1]
    alone = study.rate(
        ALONE, lambda rate, seed: train(ALONE, some, rate, seed), usual=LABELS
    )
    taught = study.rate(
        STOPPED, lambda rate, seed: train(STOPPED, some, rate, seed), usual=DISTILLED
    )
    rates = {way: taught for way in WAYS} | {ALONE: alone, STOPPED_ALONE: alone}
    plan = {}
    for share in SHARES[task.name]:
        for way in WAYS:
            plan[f"{way}, {share:.0%}"] = lambda seed, way=way, share=share: scores(
                task, train(way, share, rates[way], seed)
            )
        for way in (TO_THE_END, STOPPED):
            plan[f"itself: {way}, {share:.0%}"] = lambda seed, way=way, share=share: (
                scores(task, _teacher(study, way, share, seed))
            )
    return plan


def _student_alone(study, share, rate, seed):
    name = f"student of noise {share:g} seed {seed} rate {rate:g}"
    task = study.task
    return _ends(study, name, task.student_width, share, seed, rate, task.epochs)


def _teacher(study, way, share, seed):
    if way == CLEAN:
        return study.answers(study.teacher())
    name, task = f"teacher of noise {share:g} seed {seed}", study.task
    schedule = task.teacher_rate, task.teacher_epochs
    width = task.teacher_width // task.narrower
    ends = _ends(study, name, width, share, seed, *schedule)
    return ends[BEST if way == STOPPED else END]


def _ends(study, name, width, share, seed, rate, epochs):
    """Models of one training on noisy labels: the last, and best on noisy validation.

    Returns:
        A dict of `END` and `BEST` to models.
    """
    task, found = study.task, {}
    keep_best = KeepBest(noisy(task.data.validation, share, seed))

    def train():
        found[END] = learn(
            task,
            task.model(width, seed),
            seed=seed,
            rate=rate,
            epochs=epochs,
            split=noisy(task.data.train, share, seed),
            callbacks=[keep_best],
        )
        found[BEST] = keras.models.clone_model(found[END])
        found[BEST].set_weights(keep_best.weights)
        return found

    return {
        end: study.model(f"{name}, {end}", lambda end=end: (found or train())[end])
        for end in (END, BEST)
    }


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the epoch that is best on a `Split`.

    Attributes:
        weights: list of arrays.
    """

    def __init__(self, split):
        super().__init__()
        self.split, self.best, self.weights = split, -1.0, None

    def on_epoch_end(self, epoch, logs=None):
        """Compares."""
        found = accuracy(self.model, self.split)
        if found > self.best:
            self.best, self.weights = found, self.model.get_weights()


def noisy(split, share, seed):
    """A `Split` of which a share of the labels is wrong."""
    labels = split.arrays()[1].copy()
    generator = np.random.default_rng([seed, len(labels)])
    places = generator.choice(len(labels), round(share * len(labels)), replace=False)
    classes = labels.max() + 1
    shift = generator.integers(1, classes, len(places))
    labels[places] = (labels[places] + shift) % classes
    return subset(split, np.arange(len(labels)), labels)


def _tests(results, way):
    values, shares = results["values"], SHARES[results["data"]]
    return [values[f"{way}, {share:.0%}"]["test"] for share in shares]


def table(results):
    """Accuracy on clean test labels, by share of noise."""
    head = ["learns from", *(f"{share:.0%} wrong" for share in SHARES[results["data"]])]
    rows = [[way, *map(percent, _tests(results, way))] for way in WAYS]
    for way in (TO_THE_END, STOPPED):
        rows.append(
            [f"({way}: itself)", *map(percent, _tests(results, f"itself: {way}"))]
        )
    for way in WAYS[2:]:
        pairs = zip(_tests(results, way), _tests(results, ALONE), strict=True)
        gains = [points(taught, alone) for taught, alone in pairs]
        rows.append([f"gain, {way}", *gains])
    return markdown(head, rows)


def figure(results):
    """Accuracy against the share of wrong labels."""
    drawing, (panel,) = plot(5.4, 3.6)
    curves = {way: _tests(results, way) for way in WAYS}
    lines(panel, [100 * share for share in SHARES[results["data"]]], curves)
    panel.set_xlabel("wrong training labels (%)")
    panel.set_ylabel("test accuracy (%)")
    legend(panel, loc="lower left")
    return drawing


def verdict(results):
    """With which teacher and at which noise the student gains or loses."""
    alone, said = _tests(results, ALONE), []
    shares = SHARES[results["data"]]
    helped = {}
    for way in WAYS[2:]:
        found = [
            difference(taught, one)
            for taught, one in zip(_tests(results, way), alone, strict=True)
        ]
        places = {
            word: ", ".join(
                f"{share:.0%}"
                for share, one in zip(shares, found, strict=True)
                if getattr(one, which)
            )
            for word, which in (("helps", "is_above_zero"), ("hurts", "is_below_zero"))
        }
        helped[way] = sum(one.is_above_zero for one in found[1:])
        effects = [f"{word} at {where}" for word, where in places.items() if where]
        said.append(f"a {way} {' and '.join(effects) or 'makes no proven difference'}")
    every = len(shares) - 1
    if all(count == every for count in helped.values()):
        word = "Holds with every teacher"
    elif any(helped.values()):
        word = "Holds when the teacher is right"
        if helped[CLEAN] < every:
            word = "Holds in part"
    else:
        word = "Does not hold here"
    return f"{word}: against the noisy labels alone, {'; '.join(said)}."


if __name__ == "__main__":
    run(sys.modules[__name__])

"""Noisy labels: a teacher protects its student from wrong labels."""

import sys

import keras
import numpy as np
from _drawing import legend, lines, plot
from _numbers import difference, markdown, percent, points
from _study import run
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
    "end; one of the same, with the weights of its best epoch on noisy validation."
)
SHARES = (0.0, 0.2, 0.4, 0.6)
ALONE = "noisy labels alone"
STOPPED_ALONE = "noisy labels alone, best epoch"
CLEAN = "teacher of clean labels"
TO_THE_END = "teacher of noisy labels, to the end"
STOPPED = "teacher of noisy labels, best epoch"
WAYS = (ALONE, STOPPED_ALONE, CLEAN, TO_THE_END, STOPPED)


def conditions(study):
    """Every share of noise in every way, and the teachers themselves."""
    task, clean = study.task, study.teacher()

    def teacher(share, seed, *, stopped):
        return study.model(
            f"noise {share:g}, seed {seed}, {'best epoch' if stopped else 'end'}",
            lambda: _trained(
                task,
                task.model(task.teacher_width, seed),
                noisy(task.data.train, share, seed),
                seed,
                rate=task.teacher_rate,
                epochs=task.teacher_epochs,
                choose_on=noisy(task.data.validation, share, seed) if stopped else None,
            ),
        )

    def train(way, share, rate, seed):
        split = noisy(task.data.train, share, seed)
        student, options = task.student(seed), {}
        if way in (ALONE, STOPPED_ALONE):
            stops = way == STOPPED_ALONE
            chosen = noisy(task.data.validation, share, seed) if stops else None
            how = {"rate": rate, "epochs": task.epochs, "choose_on": chosen}
            return _trained(task, student, split, seed, **how)
        options["teacher"] = (
            clean if way == CLEAN else teacher(share, seed, stopped=way == STOPPED)
        )
        return learn(task, student, seed=seed, rate=rate, split=split, **options)

    # With a fifth of the labels wrong; all students with a teacher have one rate.
    alone = study.rate(ALONE, lambda rate, seed: train(ALONE, 0.2, rate, seed))
    taught = study.rate(STOPPED, lambda rate, seed: train(STOPPED, 0.2, rate, seed))
    rates = {way: taught for way in WAYS} | {ALONE: alone, STOPPED_ALONE: alone}
    plan = {}
    for share in SHARES:
        for way in WAYS:
            plan[f"{way}, {share:.0%}"] = lambda seed, way=way, share=share: scores(
                task, train(way, share, rates[way], seed)
            )
        for stopped in (False, True):
            name = STOPPED if stopped else TO_THE_END
            plan[f"itself: {name}, {share:.0%}"] = (
                lambda seed, share=share, stopped=stopped: scores(
                    task, teacher(share, seed, stopped=stopped)
                )
            )
    return plan


def noisy(split, share, seed):
    """A `Split` of which a share of the labels is wrong."""
    labels = split.arrays()[1].copy()
    generator = np.random.default_rng([seed, len(labels)])
    places = generator.choice(len(labels), round(share * len(labels)), replace=False)
    classes = labels.max() + 1
    shift = generator.integers(1, classes, len(places))
    labels[places] = (labels[places] + shift) % classes
    return subset(split, np.arange(len(labels)), labels)


def _trained(task, model, split, seed, *, rate, epochs, choose_on):
    """From labels; with `choose_on`, the weights of the epoch that is best there."""
    if choose_on is None:
        return learn(task, model, seed=seed, rate=rate, split=split, epochs=epochs)
    steps = epochs * task.steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    batches = split.batches(task.batch_size, shuffle_seed=seed, augment=task.augment)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(schedule), loss)
    keras.utils.set_random_seed(seed)
    best, kept = -1.0, None
    batches = batches.repeat()
    for epoch in range(epochs):
        model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, verbose=0,
                  steps_per_epoch=task.steps_per_epoch, shuffle=False)  # fmt: skip
        found = accuracy(model, choose_on)
        if found > best:
            best, kept = found, model.get_weights()
    model.set_weights(kept)
    return model


def _tests(results, way):
    return [results["values"][f"{way}, {share:.0%}"]["test"] for share in SHARES]


def table(results):
    """Accuracy on clean test labels, by share of noise."""
    head = ["learns from", *(f"{share:.0%} wrong" for share in SHARES)]
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
    lines(panel, [100 * share for share in SHARES], curves)
    panel.set_xlabel("wrong training labels (%)")
    panel.set_ylabel("test accuracy (%)")
    legend(panel, loc="lower left")
    return drawing


def verdict(results):
    """With which teacher and at which noise the student gains or loses."""
    alone, said = _tests(results, ALONE), []
    helped = {}
    for way in WAYS[2:]:
        found = [
            difference(taught, one)
            for taught, one in zip(_tests(results, way), alone, strict=True)
        ]
        places = {
            word: ", ".join(
                f"{share:.0%}"
                for share, one in zip(SHARES, found, strict=True)
                if getattr(one, which)
            )
            for word, which in (("helps", "is_above_zero"), ("hurts", "is_below_zero"))
        }
        helped[way] = sum(one.is_above_zero for one in found[1:])
        effects = [f"{word} at {where}" for word, where in places.items() if where]
        said.append(f"a {way} {' and '.join(effects) or 'makes no proven difference'}")
    every = len(SHARES) - 1
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

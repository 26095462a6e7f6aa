"""Consistent, patient teaching: the same crops for both, and long schedules."""

import functools
import sys

import tensorflow as tf
from _drawing import legend, lines, plot
from _numbers import difference, markdown, percent, points, spread
from _study import ALONE as LABELS
from _study import DISTILLED, UNLABELLED, run
from _task import learn, scores

from keras_kd.data.split import Split
from keras_kd.losses.logits.soft_target import soft_target_divergence

TITLE = "Consistent, patient teaching"
CLAIM = (
    "Teacher and student must see the same crop, and then long schedules go on "
    "helping, where fixed targets do not (Beyer et al., 2022, https://arxiv.org/abs/2106.05237)."
)
SET_UP = (
    "alpha 0, temperature 4; the student always sees crops. Fixed targets: the "
    "teacher's answers to the whole images. Independent crops: to one of 40 other "
    "crops. Same crops: to those that the student sees (digits: the teacher is asked "
    "during training; CIFAR-10: stored, seeded). Beside them labels alone."
)
LENGTHS = {"digits": (10, 40, 160, 640), "cifar10_small": (5, 15, 45)}
ALONE = "labels alone"
FIXED, INDEPENDENT, SAME = "fixed targets", "independent crops", "same crops"
WAYS = (ALONE, FIXED, INDEPENDENT, SAME)
VIEWS = 40


def conditions(study):
    """Every way for every length."""
    task, teacher = study.task, study.teacher()
    lengths = LENGTHS[task.name]
    answered = functools.cache(lambda way: _answered(task, teacher, way))

    def train(way, epochs, rate, seed):
        usual = {ALONE: LABELS, SAME: UNLABELLED}.get(way)
        if usual and epochs == task.epochs:
            return study.usual(usual, seed, rate=rate)
        options = {"epochs": epochs}
        if way in (FIXED, INDEPENDENT):
            options |= {"split": answered(way), "loss": _loss_of_any_view}
        elif way == SAME:
            answers = study.answers(teacher, epochs=epochs)
            options |= {"teacher": answers, "alpha": 0}
        return learn(task, task.student(seed), seed=seed, rate=rate, **options)

    # Chosen at the second length; all students with a teacher have one rate.
    rates = {
        way: study.rate(
            way,
            lambda rate, seed, way=way: train(way, lengths[1], rate, seed),
            usual=usual,
        )
        for way, usual in ((ALONE, LABELS), (SAME, DISTILLED))
    }
    return {
        f"{way}, {epochs} epochs": lambda seed, way=way, epochs=epochs: scores(
            task, train(way, epochs, rates[ALONE if way == ALONE else SAME], seed)
        )
        for epochs in lengths
        for way in WAYS
    }


def _answered(task, teacher, way):
    """Training images with the teacher's logits of whole images or of crops as `y`."""
    train = task.data.train
    augment, views = (None, 1) if way == FIXED else (task.augment, VIEWS)
    crops = train.batches(256, augment=augment, labels=False).repeat(views)
    shape = (views, len(train), task.data.num_classes)
    answers = teacher.predict(crops, verbose=0).reshape(shape).swapaxes(0, 1)
    examples = {"id": train.ids(), "x": train.arrays()[0], "y": answers}
    return Split(tf.data.Dataset.from_tensor_slices(examples), len(train))


def _loss_of_any_view(answers, found):
    """The loss of soft targets, for each example those of a view drawn at random.

    Args:
        answers: `(batch, views, num_classes)`, teacher's logits.
        found: `(batch, num_classes)`.
    """
    shape = tf.shape(answers)
    views = tf.random.uniform(shape[:1], maxval=shape[1], dtype="int32")
    chosen = tf.gather(answers, views, batch_dims=1)
    return soft_target_divergence(chosen, found, temperature=4.0)


def table(results):
    """Accuracy by length."""
    lengths = LENGTHS[results["data"]]
    head = [
        "targets",
        *(f"{epochs} epochs" for epochs in lengths),
        "longest less first",
    ]
    rows = []
    for way in WAYS:
        found = [_test(results, way, epochs) for epochs in lengths]
        rows.append([way, *map(percent, found), points(found[-1], found[0])])
    return markdown(head, rows)


def figure(results):
    """Accuracy against length."""
    drawing, (panel,) = plot(5.2)
    lengths = LENGTHS[results["data"]]
    curves = {way: [_test(results, way, n) for n in lengths] for way in WAYS}
    lines(panel, lengths, curves)
    panel.set_xscale("log")
    panel.set_xticks(lengths, lengths)
    panel.set_xticks([], minor=True)
    panel.set_xlabel("epochs")
    panel.set_ylabel("test accuracy (%)")
    legend(panel, loc="lower right")
    return drawing


def _test(results, way, epochs):
    return results["values"][f"{way}, {epochs} epochs"]["test"]


def verdict(results):
    """Which targets win at the longest schedule, and what length gives."""
    lengths = LENGTHS[results["data"]]
    last = {way: _test(results, way, lengths[-1]) for way in WAYS}
    wins = [
        difference(last[SAME], last[way]).is_above_zero for way in (FIXED, INDEPENDENT)
    ]
    longer = difference(last[SAME], _test(results, SAME, lengths[1])).is_above_zero
    word = "Holds" if all(wins) and longer else "Holds in part"
    if not any(wins) and not longer:
        word = "Not shown here"
    said = "; ".join(
        f"{points(last[SAME], last[way])} points against {way}" for way in WAYS[:-1]
    )
    gain = points(last[SAME], _test(results, SAME, lengths[1]))
    best = max(WAYS, key=lambda way: spread(last[way]).mean)
    return (
        f"{word}: after {lengths[-1]} epochs same crops have {said}. From {lengths[1]} "
        f"to {lengths[-1]} epochs they gain {gain} points. Highest at the end: {best}."
    )


if __name__ == "__main__":
    run(sys.modules[__name__])

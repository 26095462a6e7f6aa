"""Soft targets: less variance of the gradient, and higher learning rates."""

import sys

import keras
import numpy as np
import tensorflow as tf
from _drawing import legend, lines, plot
from _numbers import difference, markdown, percent, points, spread
from _study import run
from _task import learn, scores

from keras_kd.losses.logits.soft_target import soft_target_divergence

TITLE = "Higher learning rate, less gradient variance"
CLAIM = (
    "Soft targets have much less variance in the gradient between training cases, so "
    "the student can be trained with a much higher learning rate (Hinton et al., 2015, "
    "section 1, https://arxiv.org/abs/1503.02531)."
)
SET_UP = (
    "Relative variance of the gradient across mini-batches, trace of the covariance "
    "divided by the squared norm of the mean, over 40 batches, at the weights of one "
    "student, before, in the middle of and after training from labels. Then plain SGD "
    "without schedule at rising rates, labels against teacher "
    "(alpha 0, temperature 4; its rate divided by the ratio of the gradients' norms of "
    "the untrained student, so that both begin with equal steps): the largest rate "
    "whose students are right on at least 90 % of validation (CIFAR-10: 40 %). Width "
    "and rates were set after a first run on digits, in which usual students hardly "
    "ever reached it."
)
RATES = {
    "digits": (0.03, 0.1, 0.3, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0),
    "cifar10_small": (1.0, 3.0, 10.0),
}
WIDTHS = {"digits": 8, "cifar10_small": 8}
STAGES = ("untrained", "half trained", "trained")
WAYS = ("labels", "teacher")
GOOD = {"digits": 0.9, "cifar10_small": 0.4}
BATCHES = 40
TEMPERATURE = 4.0


def widths(task):
    """Of the teacher and the student, wide enough to learn at a rate that never falls.

    Args:
        task: `Task`.
    """
    return task.teacher_width, WIDTHS[task.name]


def conditions(study):
    """The variances, and each rate for either kind of targets."""
    task, teacher = study.task, study.teacher()
    width = widths(task)[1]

    def variances(stage, seed):
        student = task.student(seed, width)
        epochs = {"untrained": 0, "half trained": task.epochs // 2}
        length = epochs.get(stage, task.epochs)
        if length:
            learn(task, student, seed=seed, rate=task.teacher_rate, epochs=length)
        return gradient_noise(task, student, teacher, seed)

    def trained(way, rate, seed):
        student = task.student(seed, width)
        noise = gradient_noise(task, student, teacher, seed)
        taught = {}
        if way == "teacher":
            # Its gradient begins as large as that of the labels.
            rate = rate * noise["norm, labels"] / noise["norm, teacher"]
            taught = {"teacher": study.answers(teacher), "alpha": 0}
        sgd = keras.optimizers.SGD(rate)
        learn(task, student, seed=seed, rate=rate, optimizer=sgd, **taught)
        # A student that diverged says NaN of everything, which counts as class 0.
        return scores(task, student)

    plan = {stage: lambda seed, s=stage: variances(s, seed) for stage in STAGES}
    return plan | {
        f"{way}, rate {rate:g}": lambda seed, w=way, r=rate: trained(w, r, seed)
        for way in WAYS
        for rate in RATES[task.name]
    }


def gradient_noise(task, student, teacher, seed):
    """Variance and norm of mini-batches' gradients for both kinds of targets."""
    batches = task.data.train.batches(task.batch_size, shuffle_seed=seed).repeat()
    sums = {way: [0.0, 0.0, 0.0] for way in WAYS}
    for x, y in batches.take(BATCHES):
        said = teacher(x, training=False)
        losses = {
            "labels": lambda z, y=y: keras.losses.sparse_categorical_crossentropy(
                y, z, from_logits=True
            ),
            "teacher": lambda z, said=said: soft_target_divergence(
                said, z, temperature=TEMPERATURE
            ),
        }
        for way, loss in losses.items():
            gradient = _gradient(student, x, loss)
            total = sums[way]
            total[0] = total[0] + gradient
            total[1] += float(gradient @ gradient)
            total[2] += float(np.linalg.norm(gradient))
    found = {}
    for way, (total, squares, norms) in sums.items():
        mean = total / BATCHES
        among = (squares - BATCHES * float(mean @ mean)) / (BATCHES - 1)
        found[f"variance, {way}"] = among / float(mean @ mean)
        found[f"norm, {way}"] = norms / BATCHES
    return found


def _gradient(student, x, loss):
    with tf.GradientTape() as tape:
        # As in inference, so that batch statistics add no variance of their own.
        value = tf.reduce_mean(loss(student(x, training=False)))
    gradients = tape.gradient(value, student.trainable_variables)
    return np.concatenate([np.ravel(one) for one in gradients]).astype("float64")


def largest_rates(results, way):
    """For each seed the largest rate that still gives a good student; 0 if none."""
    rates, good = RATES[results["data"]], GOOD[results["data"]]
    found = {
        rate: results["values"][f"{way}, rate {rate:g}"]["validation"] for rate in rates
    }
    return [
        max((rate for rate in rates if found[rate][seed] >= good), default=0.0)
        for seed in range(results["seeds"])
    ]


def table(results):
    """Variances by stage, accuracies by rate."""
    values = results["values"]
    rows = [
        [stage, *(f"{spread(values[stage][f'variance, {w}']).mean:.3g}" for w in WAYS)]
        for stage in STAGES
    ]
    noise = markdown(["relative variance", *WAYS], rows)
    rows = []
    for rate in RATES[results["data"]]:
        found = [values[f"{way}, rate {rate:g}"]["test"] for way in WAYS]
        rows.append([f"{rate:g}", *map(percent, found), points(found[1], found[0])])
    rates = [", ".join(f"{r:g}" for r in largest_rates(results, way)) for way in WAYS]
    return [
        *noise,
        "",
        *markdown(["SGD's rate", *(f"{w}, %" for w in WAYS), "difference"], rows),
        "",
        f"Largest rate with at least {GOOD[results['data']]:.0%} on validation, seed "
        f"by seed: labels {rates[0]}; teacher {rates[1]}.",
    ]


def figure(results):
    """Accuracy against rate, and the variances."""
    drawing, panels = plot(columns=2)
    values, rates = results["values"], RATES[results["data"]]
    curves = {
        way: [values[f"{way}, rate {rate:g}"]["test"] for rate in rates] for way in WAYS
    }
    lines(panels[0], rates, curves)
    panels[0].set_xscale("log")
    panels[0].set_xlabel("learning rate of SGD, for gradients of equal size")
    panels[0].set_ylabel("test accuracy (%)")
    legend(panels[0], loc="lower left")
    noise = {way: [values[s][f"variance, {way}"] for s in STAGES] for way in WAYS}
    lines(panels[1], [0, 1, 2], noise, factor=1)
    panels[1].set_xticks([0, 1, 2], STAGES)
    panels[1].set_yscale("log")
    panels[1].set_ylabel("relative variance of the gradient")
    return drawing


def verdict(results):
    """Whether variance is smaller at every stage, and the stable rate larger."""
    ratios = {
        stage: [
            hard / soft
            for hard, soft in zip(
                results["values"][stage]["variance, labels"],
                results["values"][stage]["variance, teacher"],
                strict=True,
            )
        ]
        for stage in STAGES
    }
    less = [s for s in STAGES if spread([r - 1 for r in ratios[s]]).is_above_zero]
    smallest = RATES[results["data"]][0]
    # A student that is good at no rate counts as one that is good below the smallest.
    hard, soft = (
        np.log(np.maximum(largest_rates(results, way), smallest / 3)) for way in WAYS
    )
    higher = difference(list(soft), list(hard))
    said = ", ".join(f"{spread(ratios[s]).mean:.1f} ({s})" for s in STAGES)
    low, middle, high = np.exp([higher.low, higher.mean, higher.high])
    word = "Holds" if len(less) == len(STAGES) and higher.is_above_zero else ""
    if not word:
        word = "Holds in part" if less or higher.is_above_zero else "Does not hold here"
    return (
        f"{word}: the relative variance with labels, divided by that with the teacher, "
        f"is {said}, above 1 beyond doubt: {', '.join(less) or 'at no stage'}. The "
        f"largest good rate with the teacher is {middle:.1f} times that with labels "
        f"[{low:.1f}, {high:.1f}]."
    )


if __name__ == "__main__":
    run(sys.modules[__name__])

"""T² balances gradients: soft targets' gradients shrink with the square of T."""

import sys

import keras
import numpy as np
import tensorflow as tf
from _drawing import legend, lines, plot
from _numbers import markdown, spread
from _study import run
from _task import learn

from keras_kd.losses.logits.soft_target import soft_target_divergence

TITLE = "T² balances gradients"
CLAIM = (
    "Gradients of soft targets scale as 1/T²; multiplied by T² their weight beside the "
    "labels stays about the same when T changes (Hinton et al., 2015, section 2, "
    "https://arxiv.org/abs/1503.02531)."
)
SET_UP = (
    "Norm of the gradient of either term with respect to all weights of the student, "
    "on 8 batches, mean, before, in the middle of and after distillation (T 4)."
)
TEMPERATURES = (1, 2, 3, 4, 5, 10, 20)
STAGES = ("untrained", "half trained", "trained")
BATCHES = 8


def conditions(study):
    """Each stage of training."""
    task, teacher = study.task, study.teacher()

    def norms(stage, seed):
        student = task.student(seed)
        epochs = {"untrained": 0, "half trained": task.epochs // 2}
        length = epochs.get(stage, task.epochs)
        if length:
            options = {"teacher": study.answers(teacher), "alpha": 0.1}
            # The rate falls as if training went on to its end.
            steps = task.epochs * task.steps_per_epoch
            rate = keras.optimizers.schedules.CosineDecay(task.teacher_rate, steps)
            options |= {"epochs": length, "optimizer": keras.optimizers.Adam(rate)}
            learn(task, student, seed=seed, rate=task.teacher_rate, **options)
        batches = task.data.train.batches(task.batch_size, shuffle_seed=seed)
        pairs = list(batches.take(BATCHES).as_numpy_iterator())
        return _norms(student, teacher, pairs)

    return {stage: lambda seed, s=stage: norms(s, seed) for stage in STAGES}


def _norms(student, teacher, pairs):
    """Mean norms by name of the term; the soft ones without T²."""
    found = {"hard": []}
    for x, y in pairs:
        said = teacher(x, training=False)
        found["hard"].append(_norm(student, x, lambda z, y=y: _hard(y, z)))
        for t in TEMPERATURES:
            norm = _norm(
                student,
                x,
                lambda z, t=t, said=said: soft_target_divergence(
                    said, z, temperature=float(t)
                ),
            )
            found.setdefault(f"soft, T={t}", []).append(norm / t**2)
    return {name: float(np.mean(norms)) for name, norms in found.items()}


def _hard(labels, logits):
    return keras.losses.sparse_categorical_crossentropy(
        labels, logits, from_logits=True
    )


def _norm(student, x, loss):
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(loss(student(x, training=True)))
    gradients = tape.gradient(value, student.trainable_variables)
    return float(tf.linalg.global_norm(gradients))


def slope(results, stage, low=4):
    """The power of T by which norms without T² change from `low` upward, each seed."""
    chosen = [t for t in TEMPERATURES if t >= low]
    values = results["values"][stage]
    return [
        np.polyfit(
            np.log(chosen),
            np.log([values[f"soft, T={t}"][seed] for t in chosen]),
            1,
        )[0]
        for seed in range(results["seeds"])
    ]


def ratios(results, stage, *, scaled):
    """For each temperature the seeds' soft norm divided by the hard norm."""
    values = results["values"][stage]
    return [
        [
            soft * (t**2 if scaled else 1) / hard
            for soft, hard in zip(values[f"soft, T={t}"], values["hard"], strict=True)
        ]
        for t in TEMPERATURES
    ]


def table(results):
    """Soft norm by hard norm, with and without T²."""
    head = ["student", "", *(f"T = {t}" for t in TEMPERATURES), "power of T from 4"]
    rows = []
    for stage in STAGES:
        for name, scaled in (("with T²", True), ("without", False)):
            found = ratios(results, stage, scaled=scaled)
            power = spread(slope(results, stage)).mean + 2 * scaled
            cells = [f"{spread(seeds).mean:.3g}" for seeds in found]
            rows.append([stage, name, *cells, f"{power:.2f}"])
    return ["Norm of the soft term's gradient, as a multiple of the hard term's:", "",
            *markdown(head, rows)]  # fmt: skip


def figure(results):
    """The ratios of the terms against T."""
    drawing, panels = plot(columns=2)
    for panel, scaled in zip(panels, (False, True), strict=True):
        curves = {s: ratios(results, s, scaled=scaled) for s in STAGES}
        lines(panel, TEMPERATURES, curves, factor=1)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks(TEMPERATURES, TEMPERATURES)
        panel.set_xticks([], minor=True)
        panel.set_xlabel("temperature")
        panel.set_title("with T²" if scaled else "without T²", size=10)
    panels[0].set_ylabel("gradient norm, soft / hard")
    legend(panels[0])
    return drawing


def verdict(results):
    """Whether T² leaves less than a factor of two between T = 4 and T = 20."""
    powers = {stage: spread(slope(results, stage)).mean for stage in STAGES}
    changes = {}
    for stage in STAGES:
        means = [spread(s).mean for s in ratios(results, stage, scaled=True)]
        high = [m for m, t in zip(means, TEMPERATURES, strict=True) if t >= 4]
        changes[stage] = (max(high) / min(high), max(means) / min(means))
    holds = all(-2.4 < power < -1.6 for power in powers.values())
    said = ", ".join(f"{stage}: T^{power:.2f}" for stage, power in powers.items())
    worst = max(high for high, _ in changes.values())
    whole = max(every for _, every in changes.values())
    return (
        f"{'Holds' if holds else 'Holds in part'} from T = 4: without T² the norm goes "
        f"as {said}. With it, the ratio of the terms changes by at most {worst:.1f} "
        f"times between T = 4 and 20, and {whole:.1f} times between 1 and 20."
    )


if __name__ == "__main__":
    run(sys.modules[__name__])

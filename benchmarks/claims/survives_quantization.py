"""Survives quantisation: distilled students in int8 and int4."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from _drawing import dots, plot
from _numbers import difference, markdown, percent, points, spread
from _study import ALONE, DISTILLED, run
from _task import learn, scores

from keras_kd.export import LiteRtModel, convert, quantization_aware

TITLE = "Survives quantisation"
CLAIM = (
    "Distilled students keep their lead in int8 and int4, the more so when the teacher "
    "also guides quantisation-aware training (Polino et al., 2018, "
    "https://arxiv.org/abs/1802.05668; Mishra & Marr, 2018, "
    "https://arxiv.org/abs/1711.05852)."
)
SET_UP = (
    "The usual student from labels alone; distilled (alpha 0.1, temperature 4); "
    "distilled and then a quarter of the epochs longer with rounded weights of 8 or 4 "
    "bits under the same teacher, at a third of the rate. Files of LiteRT, calibrated "
    "on training images: float32, int8, and int4 weights with float arithmetic."
)
AWARE = "distilled, quantisation-aware"
PRECISIONS = {"float32": None, "int8": 8, "int4_weights": 4}


def conditions(study):
    """Each way to learn; every precision of the same student."""
    task, teacher = study.task, study.teacher()
    rates = {way: study.usual_rate(way) for way in (ALONE, DISTILLED)}

    def aware(seed):
        found = {}
        student = study.usual(DISTILLED, seed)
        for precision, bits in PRECISIONS.items():
            model = student
            if bits is not None:
                # The longest rest of the stored answers that there is.
                model = learn(
                    task,
                    quantization_aware(student, weights_bits=bits),
                    seed=seed + 1000,
                    rate=rates[DISTILLED] / 3,
                    teacher=study.answers(teacher),
                    epochs=max(1, task.epochs // 4),
                )
            found[precision] = _accuracy(task, model, precision)
        return found

    def plain(way, seed):
        student = study.usual(way, seed)
        return {p: _accuracy(task, student, p) for p in PRECISIONS} | {
            "validation": scores(task, student)["validation"]
        }

    return {
        ALONE: lambda seed: plain(ALONE, seed),
        DISTILLED: lambda seed: plain(DISTILLED, seed),
        AWARE: aware,
    }


def _accuracy(task, model, precision):
    """Of the file, on the test part."""
    x, y = task.data.test.arrays()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "student.tflite")
        convert(model, path, precision=precision, calibration_data=task.data.train)
        return float(np.mean(LiteRtModel(path)(x).argmax(-1) == y))


def table(results):
    """Accuracy of each file, and what rounding costs."""
    head = ["student", *(f"{p}, %" for p in PRECISIONS)]
    head += ["int8 less float32", "int4 less float32"]
    values, rows = results["values"], []
    for name, one in values.items():
        costs = [points(one[p], one["float32"]) for p in ("int8", "int4_weights")]
        rows.append([name, *(percent(one[p]) for p in PRECISIONS), *costs])
    for name in (DISTILLED, AWARE):
        leads = [points(values[name][p], values[ALONE][p]) for p in PRECISIONS]
        rows.append([f"lead, {name}", *leads, "", ""])
    return markdown(head, rows)


def figure(results):
    """Accuracy of each precision."""
    drawing, panels = plot(3.8, 2.2, columns=3)
    values = results["values"]
    means = [100 * spread(one[p]).mean for one in values.values() for p in PRECISIONS]
    for panel, precision in zip(panels, PRECISIONS, strict=True):
        dots(panel, {name: one[precision] for name, one in values.items()})
        panel.set_title(precision, size=10)
        panel.set_xlabel("test accuracy (%)")
        panel.set_xlim(max(0, min(means) - 6), min(100, max(means) + 6))
    for panel in panels[1:]:
        panel.set_yticklabels([])
    return drawing


def verdict(results):
    """Whether the lead of distilled students lasts in int8 and int4."""
    values = results["values"]
    leads = {
        (name, p): difference(values[name][p], values[ALONE][p])
        for name in (DISTILLED, AWARE)
        for p in PRECISIONS
    }
    kept = [p for p in ("int8", "int4_weights")
            if leads[AWARE, p].is_above_zero]  # fmt: skip
    word = "Holds" if len(kept) == 2 else "Holds in part" if kept else "Not shown here"
    said = "; ".join(
        f"{p} {points(values[DISTILLED][p], values[ALONE][p])} distilled, "
        f"{points(values[AWARE][p], values[ALONE][p])} quantisation-aware"
        for p in PRECISIONS
    )
    return f"{word}: points more than labels alone: {said}."


if __name__ == "__main__":
    run(sys.modules[__name__])

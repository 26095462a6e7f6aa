"""Small but as good: a student of a tenth keeps 95 % of the teacher's accuracy."""

import sys

from _drawing import legend, lines, plot
from _numbers import difference, markdown, percent, points, spread
from _study import ALONE, ALPHAS, DISTILLED, run
from _task import SECOND, learn, scores, second_distiller

TITLE = "Small but as good"
CLAIM = (
    "A student of at most a tenth of the weights keeps at least 95 % of its teacher's "
    "accuracy (Hinton et al., 2015, https://arxiv.org/abs/1503.02531)."
)
SET_UP = (
    "One teacher; students of the same kind with fewer channels, each from labels "
    "alone and from labels and teacher (alpha 0.1, temperature 4). On CIFAR-10 a "
    "second implementation too, keras.distillation with KL divergence."
)
WIDTHS = {"digits": (22, 14, 10, 7, 4, 3, 2), "cifar10_small": (16, 10, 6, 3)}
WAYS = (ALONE, DISTILLED)
SECOND_WIDTHS = {"cifar10_small": 10}


def conditions(study):
    """Every width, both ways; the teacher itself; Keras's distiller."""
    task, teacher = study.task, study.teacher()

    for way in WAYS:
        study.usual_rate(way)

    def found(model):
        return scores(task, model) | {"params": model.count_params()}

    def second(seed, width):
        return learn(
            task,
            task.student(seed, width),
            seed=seed,
            rate=study.usual_rate(DISTILLED),
            teacher=teacher,
            distiller=second_distiller,
            alpha=ALPHAS[DISTILLED],
        )

    plan = {"teacher": lambda seed: found(teacher)} | {
        f"{way}, width {width}": lambda seed, way=way, width=width: found(
            study.usual(way, seed, width=width)
        )
        for width in WIDTHS[task.name]
        for way in WAYS
    }
    if task.name in SECOND_WIDTHS:
        plan[SECOND] = lambda seed: found(second(seed, SECOND_WIDTHS[task.name]))
    return plan


def rows(results):
    """For each width: times smaller, params, and the accuracies of both ways."""
    values, found = results["values"], []
    teacher = values["teacher"]
    for name, numbers in values.items():
        if name.startswith(WAYS[1]):
            alone = values[name.replace(WAYS[1], WAYS[0])]
            params = numbers["params"][0]
            smaller = teacher["params"][0] / params
            found.append((smaller, params, alone["test"], numbers["test"]))
    return found


def table(results):
    """Accuracy by size."""
    teacher = results["values"]["teacher"]
    best = teacher["test"][0]
    head = ["weights", "times smaller", *(f"{way}, %" for way in WAYS)]
    head += ["difference, points", "kept of the teacher's, %"]
    lines_ = [[f"{teacher['params'][0]:,}", "1", f"{100 * best:.1f}", "", "", "100"]]
    for smaller, params, alone, distilled in rows(results):
        kept = f"{100 * spread(distilled).mean / best:.1f}"
        both = percent(alone), percent(distilled), points(distilled, alone)
        lines_.append([f"{params:,}", f"{smaller:.1f}", *both, kept])
    return markdown(head, lines_)


def figure(results):
    """Accuracy against how many times smaller."""
    drawing, (panel,) = plot()
    found = rows(results)
    curves = {way: [row[2 + i] for row in found] for i, way in enumerate(WAYS)}
    teacher = 100 * results["values"]["teacher"]["test"][0]
    panel.axhline(teacher, color="0.5", linewidth=1)
    panel.axhline(0.95 * teacher, color="0.5", linewidth=1, linestyle="--")
    for label, height in {"teacher": teacher, "95 % of it": 0.95 * teacher}.items():
        place = (found[0][0], height)
        panel.annotate(label, place, (0, 3), textcoords="offset points")
    lines(panel, [row[0] for row in found], curves)
    panel.set_xscale("log")
    ticks = [row[0] for row in found]
    panel.set_xticks(ticks, [f"{tick:.0f}x" for tick in ticks])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("times fewer weights than the teacher")
    panel.set_ylabel("test accuracy (%)")
    legend(panel, loc="lower left")
    return drawing


def verdict(results):
    """Whether it holds, and up to which size."""
    best = results["values"]["teacher"]["test"][0]
    found = rows(results)
    most = {
        way: max(
            (row[0] for row in found if spread(row[2 + i]).mean >= 0.95 * best),
            default=0,
        )
        for i, way in enumerate(WAYS)
    }
    gains = [row[0] for row in found if difference(row[3], row[2]).is_above_zero]
    said = "; ".join(
        f"{way}: {size:.0f} times smaller" if size else f"{way}: none"
        for way, size in most.items()
    )
    helped = ", ".join(f"{size:.0f}x" for size in gains) or "no size"
    # The tenth of the claim is 9.7 here, the nearest that whole channels give.
    word = "Holds" if most[WAYS[1]] > 9.5 else "Does not hold here"
    if word == "Holds" and not gains:
        word = "Holds, but not because of the teacher"
    tenth = min(found, key=lambda row: abs(row[0] - 10))
    alone, distilled = (100 * spread(values).mean / best for values in tenth[2:])
    return (
        f"{word}: {tenth[0]:.0f} times smaller, a distilled student keeps "
        f"{distilled:.1f} % of the teacher's accuracy, one of labels alone "
        f"{alone:.1f} %. The smallest that keep 95 %, {said}. Distilled ones are "
        f"better than labels alone beyond doubt at: {helped}."
        + _second_said(results, tenth, best)
    )


def _second_said(results, tenth, best):
    """What the second implementation gave, where it ran."""
    if SECOND not in results["values"]:
        return ""
    other = results["values"][SECOND]["test"]
    return (
        f" At {tenth[0]:.0f}x students of {SECOND} keep "
        f"{100 * spread(other).mean / best:.1f} %; ours less theirs: "
        f"{points(tenth[3], other)} points."
    )


if __name__ == "__main__":
    run(sys.modules[__name__])

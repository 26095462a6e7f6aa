"""What `peers.py` measured, as a table."""

import statistics

TITLES = {
    "ours": "`keras_kd.Distiller`",
    "keras_default": "`keras.distillation.Distiller`, its default loss",
    "keras_kl": "the same with `loss=keras.losses.KLDivergence()`",
    "website": "the method of the Keras website's example",
    "pytorch": "a plain loop in PyTorch",
    "labels": "no teacher",
}


def table(results):
    """Accuracy, and time of a step as a ratio to ours, as lines of Markdown."""
    values = results["values"]
    ours = values["ours"]
    lines = [
        "| way | accuracy, % | ours is better by, points | time of a step / ours |",
        "|---|---|---|---|",
    ]
    for name, title in TITLES.items():
        if name not in values:
            continue
        one = values[name]
        accuracy = [100 * value for value in one["test"]]
        gains = [100 * (a - b) for a, b in zip(ours["test"], one["test"], strict=True)]
        gain = "" if name == "ours" else f"{statistics.fmean(gains):+.1f}"
        lines.append(
            f"| {title} | {statistics.fmean(accuracy):.1f} ± "
            f"{statistics.stdev(accuracy):.1f} | {gain} | {_ratio(one, ours)} |"
        )
    return lines


def _ratio(one, ours):
    """The ratio of medians, that of minima in brackets."""
    median, least = (
        pick(one["ms_per_step"]) / pick(ours["ms_per_step"])
        for pick in (statistics.median, min)
    )
    return f"{median:.2f} ({least:.2f})"

"""What the times of `soft_targets.py` say: ratios, and a table of them."""

import statistics

from _soft_targets_runs import LABEL_BATCH_SIZE, MANY_CLASSES, TEACHERS

PICKS = {"median": statistics.median, "minimum": min}


def summary(seconds, ratios):
    """Medians and minima of seconds by contestant, with their ratios.

    Args:
        seconds: dict of contestant to list, see `step_time.measure`.
        ratios: function of a dict of contestant to number.
    """
    result = {}
    for kind, pick in PICKS.items():
        picked = {name: pick(values) for name, values in seconds.items()}
        result[kind] = {"seconds": rounded(picked), **ratios(picked)}
    return result


def rounded(numbers, digits=4):
    """A dict of numbers, rounded."""
    return {name: round(value, digits) for name, value in numbers.items()}


def epoch_ratios(seconds):
    """Stored to plain, by what is stored.

    Args:
        seconds: dict of contestant to number.
    """
    plain_of = {
        "full": "plain",
        "full_cropped": "plain_cropped",
        f"full_of_{MANY_CLASSES}": f"plain_{MANY_CLASSES}",
        f"top_10_of_{MANY_CLASSES}": f"plain_{MANY_CLASSES}",
    }
    ratios = {name: seconds[name] / seconds[plain_of[name]] for name in plain_of}
    return {"stored_to_plain": rounded(ratios, 3)}


def total_ratios(seconds, number, epochs):
    """Ratios of whole distillations and of labelling, by teacher.

    Args:
        seconds: dict of the parts of `Totals.contestants` to number.
        number: int, examples that were labelled.
        epochs: int.
    """
    result = {}
    for name in TEACHERS:
        label, predict = seconds[f"label_{name}"], seconds[f"predict_{name}"]
        ours = label + seconds["attach"] + epochs * seconds["stored"]
        least = predict + epochs * seconds["plain"]
        theirs = epochs * seconds[f"keras_{name}"]
        rest = {
            work: seconds[f"{work}_{name}"] - seconds[f"{work}_first_batch_{name}"]
            for work in ("label", "predict")
        }
        ratios = {
            "teacher_forward_to_student_forward": seconds[f"forward_{name}"]
            / seconds["forward_student"],
            "stored_to_least": ours / least,
            "keras_to_stored": theirs / ours,
            "label_to_predict_throughput": predict / label,
        }
        if number > LABEL_BATCH_SIZE:
            ratios["label_to_predict_throughput_from_second_batch"] = (
                rest["predict"] / rest["label"]
            )
        result[name] = rounded(ratios, 3)
    return result


def whole_ratios(seconds):
    """As in `total_ratios`, of runs that were not put together.

    Args:
        seconds: dict of the runs of `Totals.whole_runs` to number.
    """
    result = {}
    for name in TEACHERS:
        least = seconds[f"predict_{name}"] + seconds["plain"]
        ours = seconds[f"stored_{name}"]
        ratios = {
            "stored_to_least": ours / least,
            "keras_to_stored": seconds[f"keras_{name}"] / ours,
        }
        result[name] = rounded(ratios, 3)
    return result


TITLES = {
    "full": "epoch, all logits of 10 classes / plain",
    "full_cropped": "epoch, the same with crops / plain",
    f"full_of_{MANY_CLASSES}": f"epoch, all logits of {MANY_CLASSES} classes / plain",
    f"top_10_of_{MANY_CLASSES}": f"epoch, top 10 of {MANY_CLASSES} classes / plain",
    "teacher_forward_to_student_forward": "forward pass of teacher / student",
    "stored_to_least": "in all / what cannot be avoided",
    "keras_to_stored": "live with Keras / in all",
    "label_to_predict_throughput": "throughput of label / predict",
    "label_to_predict_throughput_from_second_batch": "the same from the second batch",
    "label": "peak memory of labelling, 10x / 1x the data",
    "train": "peak memory of training, 10x / 1x the data",
    "train_shuffled": "the same, shuffled",
    "plain_shuffled": "that of the plain student, shuffled",
}


def table(results):
    """The ratios as lines of Markdown, medians with minima in brackets."""
    rows = {}
    for name in results["epochs"]["median"]["stored_to_plain"]:
        rows[TITLES[name]] = _both(results, "epochs", "stored_to_plain", name)
    for name in TEACHERS:
        for ratio in results["totals"]["median"][name]:
            rows[f"teacher {name}: {TITLES[ratio]}"] = _both(
                results, "totals", name, ratio
            )
        for ratio, value in results["whole_runs"][name].items():
            rows[f"teacher {name}: {TITLES[ratio]}, one whole run"] = f"{value:.3f}"
    for name, size in results["bytes"].items():
        title = f"bytes of float32 / stored, {name.replace('_', ' ')}"
        rows[title] = f"{size['float32_to_stored']:.1f}"
    for task, ratio in results["memory"]["ten_to_one"].items():
        rows[TITLES[task]] = f"{ratio:.3f}"
    return ["| what | ratio |", "|---|---|"] + [
        f"| {title} | {cell} |" for title, cell in rows.items()
    ]


def _both(results, part, *path):
    values = []
    for kind in PICKS:
        value = results[part][kind]
        for name in path:
            value = value[name]
        values.append(value)
    return "{:.3f} ({:.3f})".format(*values)

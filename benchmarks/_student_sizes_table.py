"""What the runs of `student_sizes.py` say: means, paired differences, a figure."""

import statistics

from matplotlib.figure import Figure

TITLES = {
    "scratch": "labels alone",
    "distilled": "distilled",
    "distilled_from_teacher_weights": "distilled, teacher's weights to begin with",
    "distilled_through_assistant": "distilled through an assistant",
}
# Colours of Okabe and Ito, which people with any colour vision tell apart.
_LOOKS = {
    "scratch": ("#000000", "o"),
    "distilled": ("#0072B2", "s"),
    "distilled_from_teacher_weights": ("#D55E00", "^"),
    "distilled_through_assistant": ("#009E73", "D"),
}


def summary(recipes):
    """Means and spreads in points, and differences to "scratch" and "distilled".

    Args:
        recipes: dict of recipe to list of accuracies, one a seed, as fractions.

    Returns:
        A dict of recipe to a dict; a difference is taken seed by seed.
    """
    return {
        recipe: {
            "accuracy": _spread(values),
            "more_than_scratch": _difference(values, recipes["scratch"]),
            "more_than_distilled": _difference(values, recipes["distilled"]),
        }
        for recipe, values in recipes.items()
    }


def table(results):
    """The summaries as lines of Markdown."""
    teacher = results["teacher"]
    head = ["student", "weights", "learns by", "accuracy"]
    head += ["more than labels alone", "more than distilled"]
    lines = [head, ["---"] * len(head)]
    accuracy = f"{100 * teacher['accuracy']:.1f}"
    lines.append(["teacher", f"{teacher['params']:,}", "labels", accuracy, "", ""])
    for size, student in results["students"].items():
        for recipe, numbers in student["recipes"].items():
            is_first = recipe == "scratch", recipe in ("scratch", "distilled")
            others = numbers["more_than_scratch"], numbers["more_than_distilled"]
            lines.append(
                [
                    size,
                    f"{student['params']:,}",
                    TITLES[recipe],
                    _cell(numbers["accuracy"], ".1f"),
                    *(
                        "" if first else _cell(other, "+.1f")
                        for first, other in zip(is_first, others, strict=True)
                    ),
                ]
            )
    return [f"| {' | '.join(line)} |" for line in lines]


def figure(results):
    """Accuracy against size, a line for each way to learn.

    Args:
        results: dict, the content of the result file.

    Returns:
        A matplotlib `Figure`.
    """
    drawing = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = drawing.subplots()
    teacher = results["teacher"]
    axes.axhline(100 * teacher["accuracy"], color="0.5", linestyle="--", linewidth=1)
    axes.annotate(
        f"teacher, {teacher['params']:,} weights",
        (0.01, 100 * teacher["accuracy"]),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        color="0.3",
    )
    for recipe, (colour, marker) in _LOOKS.items():
        points = [
            (student["params"], student["recipes"][recipe]["accuracy"])
            for student in results["students"].values()
            if recipe in student["recipes"]
        ]
        axes.errorbar(
            [params for params, _ in points],
            [one["mean"] for _, one in points],
            [one["standard_deviation"] for _, one in points],
            color=colour,
            marker=marker,
            capsize=3,
            label=TITLES[recipe],
        )
    axes.set_xscale("log")
    sizes = {student["params"]: size for size, student in results["students"].items()}
    axes.set_xticks(
        list(sizes), [f"{params:,}\n{size}" for params, size in sizes.items()]
    )
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights of the student, as a number and of the teacher's")
    axes.set_ylabel(f"accuracy on {results['examples']:,} test images, %")
    axes.set_title(f"{results['data']}: mean ± standard deviation over seeds", size=10)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    return drawing


def _cell(spread, form):
    return f"{spread['mean']:{form}} ± {spread['standard_deviation']:.1f}"


def _difference(values, others):
    return _spread([one - other for one, other in zip(values, others, strict=True)])


def _spread(values):
    points = [100 * value for value in values]
    return {
        "seeds": [round(point, 2) for point in points],
        "mean": round(statistics.mean(points), 3),
        "standard_deviation": round(
            statistics.stdev(points) if len(points) > 1 else 0.0, 3
        ),
    }

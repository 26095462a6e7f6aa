"""What the runs of `quantization.py` say: means, differences to float, a table."""

import statistics

ROWS = {
    "float": "float32",
    "float_continued": "float32, trained as much longer",
    "int8_after_training": "int8, quantised after training",
    "int8_in_training": "int8, quantisation-aware",
    "int4_weights_after_training": "int4 weights, after training (float activations)",
    "int4_weights_in_training": "int4 weights, quantisation-aware (int8 activations)",
}


def summary(runs):
    """Means and standard deviations of one student's runs, in points.

    Args:
        runs: list of the results of `_quantization_runs.run`, one a seed.

    Returns:
        A dict of row to what is known of it; differences are to "float", seed by seed.
    """
    return {row: _row([run[row] for run in runs], runs) for row in ROWS}


def table(results):
    """The summaries as lines of Markdown."""
    head = ["student", "precision", "accuracy", "less float32", "agreement", "bytes"]
    lines = [head, ["---"] * len(head)]
    for data, content in results["data"].items():
        for student, one in content["students"].items():
            for row, title in ROWS.items():
                numbers = one["summary"][row]
                spread = "{mean:.2f} ± {standard_deviation:.2f}"
                agreement = numbers.get("least_agreement")
                lines.append(
                    [
                        f"{data}, {student}",
                        title,
                        spread.format(**numbers["accuracy"]),
                        spread.format(**numbers["less_float"]),
                        "" if agreement is None else f"{agreement:.2f}",
                        str(numbers.get("size_bytes", "")),
                    ]
                )
    return [f"| {' | '.join(line)} |" for line in lines]


def _row(scores, runs):
    differences = [
        score["accuracy"] - run["float"]["accuracy"]
        for score, run in zip(scores, runs, strict=True)
    ]
    row = {
        "accuracy": _spread([score["accuracy"] for score in scores]),
        "less_float": _spread(differences),
    }
    if "size_bytes" in scores[0]:
        row["size_bytes"] = round(statistics.mean(s["size_bytes"] for s in scores))
    if "agreement" in scores[0]:
        agreements = [100 * score["agreement"] for score in scores]
        row["least_agreement"] = round(min(agreements), 2)
    return row


def _spread(values):
    points = [100 * value for value in values]
    deviation = statistics.stdev(points) if len(points) > 1 else 0.0
    return {
        "seeds": [round(point, 2) for point in points],
        "mean": round(statistics.mean(points), 3),
        "standard_deviation": round(deviation, 3),
    }

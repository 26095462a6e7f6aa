"""What the runs of `every_loss.py` say: choices, means, paired differences, a table."""

import math
import statistics

import numpy as np
from _every_loss_recipes import NO_KD, NO_KD_SIGMOID, PLAIN_KD, RECIPES
from scipy import stats

CONFIDENCE = 0.95
LEVEL = 0.05
HEADINGS = [
    "loss",
    "published weight",
    "chosen factor",
    "with it",
    "more than no KD",
    "more than plain KD",
    "step time",
]


def factor_key(factor):
    """A factor as the result file names it."""
    return f"{factor:g}"


def validation_mean(runs, factor, seeds):
    """Mean validation accuracy of the runs with these seeds.

    Args:
        runs: dict of factor key to columns, of one recipe.
        factor: float.
        seeds: list of int.
    """
    return statistics.mean(values(runs, factor, seeds, "validation_accuracy"))


def values(runs, factor, seeds, column):
    """A column of the runs with these seeds, in their order; see `validation_mean`."""
    columns = runs[factor_key(factor)]
    by_seed = dict(zip(columns["seed"], columns[column], strict=True))
    return [by_seed[seed] for seed in seeds]


def chosen_factor(runs, seeds):
    """The factor of the best mean validation accuracy; of equals the nearest to 1.

    Args:
        runs: dict of factor key to columns, of one recipe.
        seeds: list of int; factors that were run with all of them count.
    """
    factors = [float(key) for key in runs if set(seeds) <= set(runs[key]["seed"])]
    return max(
        factors,
        key=lambda factor: (
            round(validation_mean(runs, factor, seeds), 6),
            -abs(math.log10(factor)),
            -factor,
        ),
    )


def holm(p_values):
    """P-values adjusted for their number.

    Args:
        p_values: list of float.

    Returns:
        List of float in their order, at most 1.

    Reference:
        Holm, "A simple sequentially rejective multiple test procedure", 1979,
        https://www.jstor.org/stable/4615733.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, largest)
    return adjusted


def paired_difference(ours, theirs):
    """Mean difference of two accuracies measured with the same seeds.

    Args:
        ours: list of float, one for each seed.
        theirs: the same of what is compared with.

    Returns:
        Dict of "mean", "ci95" (of Student's t) and "p" (two-sided).
    """
    differences = np.subtract(ours, theirs)
    mean = float(differences.mean())
    if np.ptp(differences) == 0.0:
        return {"mean": mean, "ci95": [mean, mean], "p": float(mean == 0.0)}
    test = stats.ttest_1samp(differences, 0.0)
    interval = test.confidence_interval(CONFIDENCE)
    return {
        "mean": mean,
        "ci95": [float(interval.low), float(interval.high)],
        "p": float(test.pvalue),
    }


def summary(results):
    """The rows of the table, in the order of the recipes.

    Args:
        results: dict, the result file; recipes with all of their runs count.
    """
    seeds, tuning = results["seeds"], results["set_up"]["tuning_seeds"]
    rows = {}
    for name, recipe in RECIPES.items():
        runs = results["runs"].get(name, {})
        if not _is_complete(runs, seeds, tuning if recipe.is_tuned else []):
            continue
        factor = 1.0
        if recipe.is_tuned:
            factor = chosen_factor(runs, tuning)
        rows[name] = {
            "title": recipe.title,
            "is_tuned": recipe.is_tuned,
            "is_afterthought": recipe.is_afterthought,
            "factor": factor,
            "published": _accuracy(runs, 1.0, seeds),
            "chosen": _accuracy(runs, factor, seeds),
            "cpu_ms_per_step": _median_ms(runs),
        }
    base = rows[NO_KD]["cpu_ms_per_step"] if NO_KD in rows else None
    for row in rows.values():
        ms = row["cpu_ms_per_step"]
        row["step_time_ratio"] = round(ms / base, 2) if ms and base else None
    for setting in ("published", "chosen"):
        for late in (False, True):
            _compare(rows, setting, "to_no_kd", _no_kd_of, late=late)
            _compare(rows, setting, "to_plain_kd", lambda name: PLAIN_KD, late=late)
        for row in rows.values():
            del row[setting]["test_accuracy"]
    return rows


def table(results):
    """The summary as lines of Markdown: what was planned, then the afterthoughts."""
    rows = sorted(results["summary"].values(), key=lambda row: -row["chosen"]["mean"])
    planned = [_cells(row) for row in rows if not row["is_afterthought"]]
    later = [_cells(row) for row in rows if row["is_afterthought"]]
    return [*_lines(planned), *([""] if later else []), *_lines(later)]


def _lines(rows):
    head = [HEADINGS, ["---"] * len(HEADINGS)] if rows else []
    return [f"| {' | '.join(cells)} |" for cells in [*head, *rows]]


def _cells(row):
    return [
        row["title"],
        _percent(row["published"]),
        f"{row['factor']:g}" if row["is_tuned"] else "",
        _percent(row["chosen"]) if row["is_tuned"] else "",
        _difference(row["chosen"].get("to_no_kd")),
        _difference(row["chosen"].get("to_plain_kd")),
        f"{row['step_time_ratio'] or float('nan'):.1f}",
    ]


def _is_complete(runs, seeds, tuning):
    needed = {*seeds, *tuning}
    return needed <= set(runs.get(factor_key(1.0), {"seed": []})["seed"])


def _accuracy(runs, factor, seeds):
    tests = values(runs, factor, seeds, "test_accuracy")
    diverged = values(runs, factor, seeds, "diverged")
    return {
        "mean": statistics.mean(tests),
        "std": statistics.stdev(tests) if len(tests) > 1 else 0.0,
        "test_accuracy": tests,
        "diverged": sum(diverged),
    }


def _median_ms(runs):
    """Of all runs but the first of each program, in which the step was traced."""
    columns = [
        column for factor in runs.values() for column in factor["cpu_ms_per_step"]
    ]
    timed = [ms for ms in columns if ms is not None]
    return round(statistics.median(timed), 3) if timed else None


def _no_kd_of(name):
    return NO_KD_SIGMOID if RECIPES[name].is_sigmoid else NO_KD


def _compare(rows, setting, key, other_of, *, late):
    """Adds differences to one kind of baseline, and what many comparisons leave."""
    compared = {}
    for name, row in rows.items():
        other, recipe = other_of(name), RECIPES[name]
        if recipe.is_afterthought != late:
            continue
        if recipe.losses and name != other and other in rows:
            compared[name] = paired_difference(
                row[setting]["test_accuracy"], rows[other][setting]["test_accuracy"]
            )
    adjusted = holm([difference["p"] for difference in compared.values()])
    for (name, difference), p in zip(compared.items(), adjusted, strict=True):
        verdict = "unclear"
        if p < LEVEL:
            verdict = "better" if difference["mean"] > 0 else "worse"
        rows[name][setting][key] = {**difference, "holm_p": p, "verdict": verdict}


def _percent(accuracy):
    cell = f"{100 * accuracy['mean']:.1f} ± {100 * accuracy['std']:.1f}"
    diverged = accuracy["diverged"]
    return f"{cell}, {diverged} diverged" if diverged else cell


def _difference(difference):
    if difference is None:
        return ""
    low, high = (100 * bound for bound in difference["ci95"])
    cell = f"{100 * difference['mean']:+.1f} ({low:+.1f} to {high:+.1f})"
    return cell if difference["verdict"] == "unclear" else f"**{cell}**"

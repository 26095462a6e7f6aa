"""Writes RESULTS.md and its figures from the result files: nothing is typed by hand.

Run: python benchmarks/claims/write_results.py
"""

import argparse
import importlib
import json
from pathlib import Path

from _study import draw

from keras_kd._files import written_whole

ROOT = Path(__file__).parent
CLAIMS = (
    "size",
    "temperature",
    "gradient_balance",
    "ensembles",
    "less_data",
    "missing_class",
    "noisy_labels",
    "gradient_variance",
    "calibration",
    "class_relations",
    "patience",
    "survives_quantization",
)
DATA = {"digits": "scikit-learn's digits", "cifar10_small": "CIFAR-10, a part"}


def page(folder):
    """The text of RESULTS.md, of the result files in a folder."""
    found = {name: _results(folder, name) for name in CLAIMS}
    lines = [
        "# The claims of distillation, measured",
        "",
        "Each experiment is one command, `python benchmarks/claims/NAME.py`, which "
        "goes on where it was stopped; `--seeds N`, `--data folder:PATH`. This page is "
        "made from its result files by `python benchmarks/claims/write_results.py`. "
        "Means ± standard deviations over seeds; differences are paired, seed by seed, "
        "with their 95 % interval (Student's t); beyond doubt means that this interval "
        "does not hold 0. The teacher is one unless a set-up says otherwise: then the "
        "spread is that of its students alone. There are many comparisons on this "
        "page: one in twenty of those without any effect would be beyond doubt by "
        "chance. Learning rates are chosen on the validation part, by seeds that are "
        "used for nothing else, for students from labels and for those with a teacher "
        "alike (on CIFAR-10 once for all claims). Models of digits are plain "
        "convolutional networks, those of CIFAR-10 residual ones (three stages) that "
        "halve the image at once. All see random crops (digits by 1 pixel; CIFAR-10 by "
        "4, and flips), which the usual student of digits would be better without: "
        "Regularisation and calibration leaves them out. Where a claim fails it is not "
        "for our code: keras.distillation and PyTorch give students of the same "
        "accuracy ([peers.py](../peers.py), table in the [README](../../README.md)), "
        "and tests find the weights of keras.distillation's.",
        "",
        "| claim | data | verdict |",
        "|---|---|---|",
    ]
    for name, each in found.items():
        claim = importlib.import_module(name)
        for results in each:
            word = claim.verdict(results).split(":")[0]
            lines.append(
                f"| [{claim.TITLE}](#{_anchor(claim.TITLE)}) | {results['data']} "
                f"| {word} |"
            )
    for name, each in found.items():
        if each:
            lines += ["", *_section(importlib.import_module(name), name, each)]
    return "\n".join(lines) + "\n"


def _section(claim, name, each):
    lines = [f"## {claim.TITLE}", "", f"**Claim.** {claim.CLAIM}", ""]
    lines += [f"**Set-up.** {claim.SET_UP}"]
    for results in each:
        data = results["data"]
        lines += ["", f"### {claim.TITLE}: {DATA[data]}", "", _said_of(results), ""]
        lines += [f"![{claim.TITLE}, {data}](results/{name}_{data}.png)", ""]
        lines += [*claim.table(results), "", f"**Verdict.** {claim.verdict(results)}"]
        option = "" if data == "digits" else " --data folder:PATH --seeds 3"
        lines += ["", f"`python benchmarks/claims/{name}.py{option}`"]
    return lines


def _said_of(results):
    set_up = results["set_up"]
    examples = set_up["examples"]
    rates = ", ".join(f"{rate:g} ({way})" for way, rate in results["rates"].items())
    tried = ", ".join(f"{rate:g}" for rate in set_up["rates_tried"])
    return (
        f"{results['seeds']} seeds; {examples['train']:,} training, "
        f"{examples['validation']:,} validation and {examples['test']:,} test "
        f"examples; teacher of {set_up['teacher_params']:,} weights, usual student of "
        f"{set_up['student_params']:,}; {set_up['epochs']} epochs of batches of "
        f"{set_up['batch_size']}" + (f"; rates: {rates}, of {tried}." if rates else ".")
    )


def _anchor(title):
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _results(folder, name):
    paths = [folder / f"{name}_{data}.json" for data in DATA]
    return [json.loads(p.read_text(encoding="utf-8")) for p in paths if p.exists()]


def main():
    """Writes the page beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--out", type=Path, default=ROOT / "RESULTS.md")
    options = parser.parse_args()
    for name in CLAIMS:
        for results in _results(options.results, name):
            path = options.results / f"{name}_{results['data']}.json"
            draw(importlib.import_module(name), results, path)
    with written_whole(options.out) as (path,):
        path.write_text(page(options.results), encoding="utf-8")
    print(f"Wrote {options.out}.")


if __name__ == "__main__":
    main()

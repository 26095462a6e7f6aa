"""The claims: their page says what their files hold, and their numbers are right."""

import dataclasses
import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import softmax

FOLDER = Path(__file__).parents[2] / "benchmarks" / "claims"
FILES = sorted((FOLDER / "results").glob("*.json"))


@pytest.fixture
def script(monkeypatch):
    """A function that imports a file of `benchmarks/claims`, as a script there can."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_page_is_that_of_the_result_files(script):
    page = script("write_results").page(FOLDER / "results")
    assert (FOLDER / "RESULTS.md").read_text(encoding="utf-8") == page


def test_every_claim_is_measured_on_both_data_sets(script):
    page = script("write_results")
    expected = {f"{name}_{data}" for name in page.CLAIMS for data in page.DATA}
    assert {path.stem for path in FILES} == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_result_file_is_whole_and_drawn(path):
    results = json.loads(path.read_text(encoding="utf-8"))
    assert results["seeds"] >= (5 if results["data"] == "digits" else 3)
    for numbers in results["values"].values():
        for seeds in numbers.values():
            assert len(seeds) == results["seeds"]
            assert np.isfinite(seeds).all()
    assert path.with_suffix(".png").stat().st_size > 5_000


def test_intervals_equal_scipys(script):
    numbers = script("_numbers")
    values, others = [0.5, 0.61, 0.58, 0.55], [0.52, 0.55, 0.5, 0.51]
    found = numbers.difference(values, others)
    test = stats.ttest_rel(values, others)
    interval = test.confidence_interval(0.95)
    assert found.low == pytest.approx(interval.low)
    assert found.high == pytest.approx(interval.high)
    assert found.deviation == pytest.approx(np.std(np.subtract(values, others), ddof=1))
    assert not found.is_above_zero
    assert numbers.difference([1, 2, 3], [0, 1, 2.01]).is_above_zero
    assert numbers.points([0.5, 0.6], [0.5, 0.6]) == "+0.0 [+0.0, +0.0]"


def test_noise_is_of_the_share_that_is_asked_for(script, digits):
    noisy = script("noisy_labels").noisy
    labels = digits.train.arrays()[1]
    found = noisy(digits.train, 0.4, seed=3)
    x, y = found.arrays()
    assert np.mean(y != labels) == pytest.approx(0.4, abs=0.001)
    assert set(y) == set(labels)
    np.testing.assert_array_equal(x, digits.train.arrays()[0])
    np.testing.assert_array_equal(noisy(digits.train, 0.4, seed=3).arrays()[1], y)


def test_some_labels_are_a_share_of_every_class(script, digits):
    rows = script("_task").some_of_each_class(digits.train, 0.1, seed=0)
    labels = digits.train.arrays()[1]
    whole, some = np.bincount(labels), np.bincount(labels[rows])
    np.testing.assert_array_equal(some, [round(0.1 * count) for count in whole])


def test_smoothed_labels_share_the_entropy(script):
    one_hot = np.eye(10)[[1, 2, 3]]
    targets = script("calibration")._smoothed(one_hot, 0.7)
    np.testing.assert_allclose(stats.entropy(targets, axis=1), 0.7, rtol=1e-6)
    np.testing.assert_array_equal(targets.argmax(1), [1, 2, 3])


def test_exchanged_classes_keep_right_class_and_entropy(script):
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(20, 5)), np.arange(20) % 5
    targets = script("calibration")._targets(
        "wrong classes exchanged", logits, labels, 2.0, seed=0
    )
    before, after = (
        np.exp(z / 2) / np.exp(z / 2).sum(1, keepdims=True) for z in (logits, targets)
    )
    rows = np.arange(20)
    np.testing.assert_allclose(after[rows, labels], before[rows, labels])
    np.testing.assert_allclose(np.sort(after, 1), np.sort(before, 1))
    assert not np.allclose(after, before)


def test_ensemble_as_one_model_gives_the_mean_of_probabilities(script):
    teachers = [script("_task").task_of("digits").model(2, seed) for seed in range(3)]
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype("float32")
    mean = np.mean([softmax(t.predict(x, verbose=0) / 4, axis=-1) for t in teachers], 0)
    found = script("ensembles")._as_one(teachers).predict(x, verbose=0)
    np.testing.assert_allclose(softmax(found / 4, axis=-1), mean, atol=1e-6)


def test_corrected_bias_finds_what_is_hidden(script, monkeypatch):
    """A student whose scores of the 3s are 5 too low knows them after correction."""
    claim = script("missing_class")
    labels = np.arange(100) % 10
    scores = 3.0 * np.eye(10)[labels] + np.random.default_rng(0).normal(size=(100, 10))
    scores[:, 3] -= 5

    class Part:
        def arrays(self):
            return None, labels

    class Task:
        data = type("Data", (), {"validation": Part(), "test": Part()})

    monkeypatch.setattr(claim, "logits", lambda student, part: scores)
    found = claim._found(Task, None, raised=[3], sign=1)
    assert found["left out"] == 0
    assert found["corrected left out"] > 0.8
    assert 3.5 < found["correction"] < 6.5


@pytest.mark.release
@pytest.mark.parametrize(
    "name",
    ["ensembles", "less_data", "noisy_labels", "patience", "survives_quantization"],
)
def test_claim_runs_and_goes_on(script, name, digits, tmp_path, monkeypatch):
    _run_small(script, name, tmp_path, monkeypatch)


@pytest.mark.release
def test_short_claim_runs_and_goes_on(script, tmp_path, monkeypatch):
    _run_small(script, "missing_class", tmp_path, monkeypatch)


def _run_small(script, name, tmp_path, monkeypatch):
    """A claim on tiny models: its file has a table, a figure and a verdict."""
    study, claim = script("_study"), script(name)
    whole = script("_task").task_of("digits")
    small = {"teacher_width": 4, "student_width": 2, "teacher_epochs": 1, "epochs": 1}
    task = dataclasses.replace(whole, **small, rates=(3e-3,))
    monkeypatch.setattr(claim, "LENGTHS", {"digits": (1, 2)}, raising=False)
    if name in ("less_data", "noisy_labels"):
        monkeypatch.setattr(claim, "SHARES", {"digits": (0.5, 0.03)})
    found = study.measure(claim, study.Study(task, tmp_path / name), 2)
    assert claim.table(found)
    assert ":" in claim.verdict(found)
    assert claim.figure(found).axes
    # What was measured is not measured again.
    monkeypatch.setattr(study, "write_json", None)
    again = study.measure(claim, study.Study(task, tmp_path / name), 2)
    assert json.dumps(again) == json.dumps(found)


@pytest.mark.slow
def test_shared_rates_are_those_of_usual_students(script, tmp_path):
    """A claim's own way to learn is tuned but where the task shares its rates."""
    study, whole = script("_study"), script("_task").task_of("digits")
    small = {"teacher_width": 2, "student_width": 2, "teacher_epochs": 1, "epochs": 1}

    def rates(folder, *, shares_rates):
        task = dataclasses.replace(
            whole, **small, rates=(1e-2,), shares_rates=shares_rates
        )
        found = study.Study(task, tmp_path / folder / "claim")
        tuned = []

        def train(rate, seed):
            tuned.append(seed)
            return task.student(seed)

        return found.rate("own way", train, usual=study.ALONE), found.rates, tuned

    own = rates("own", shares_rates=False)
    shared = rates("shared", shares_rates=True)
    assert own == (1e-2, {"own way": 1e-2}, list(study.TUNING_SEEDS))
    assert shared == (1e-2, {"own way": 1e-2}, [])
    assert (tmp_path / "shared" / "usual" / "rates" / study.ALONE).is_dir()


@pytest.mark.slow
def test_usual_student_without_labels_learns_from_the_teacher_alone(script, tmp_path):
    """It equals a student whose labels are all wrong, but for the rounding of a sum."""
    study, task = script("_study"), script("_task")
    small = {"teacher_width": 4, "student_width": 2, "teacher_epochs": 1, "epochs": 1}
    whole = dataclasses.replace(task.task_of("digits"), **small, rates=(1e-2,))
    found = study.Study(whole, tmp_path / "claim").usual(study.UNLABELLED, 0, rate=1e-2)
    split = whole.data.train
    labels = (split.arrays()[1] + 1) % 10
    again = study.Study(whole, tmp_path / "claim")
    other = task.learn(
        whole,
        whole.student(0),
        seed=0,
        rate=1e-2,
        teacher=again.teacher(),
        split=task.subset(split, np.arange(len(split)), labels),
        alpha=0,
    )
    for one, two in zip(found.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_readme_has_the_verdicts_of_the_files_it_shows(script):
    readme = " ".join((FOLDER.parents[1] / "README.md").read_text("utf-8").split())
    pattern = r"\(benchmarks/claims/results/(\w+?)_(digits|cifar10_small)\.png\)"
    shown = re.findall(pattern, readme)
    assert len(shown) == 4
    for name, data in shown:
        path = FOLDER / "results" / f"{name}_{data}.json"
        results = json.loads(path.read_text(encoding="utf-8"))
        assert script(name).verdict(results) in readme
        assert f"`python benchmarks/claims/{name}.py" in readme

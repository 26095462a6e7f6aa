"""Two or more files timed in turn, so that what else the machine does hits them all."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_kd._checks import invalid
from keras_kd.benchmark.measure import check_request
from keras_kd.benchmark.measurement import DeviceError
from keras_kd.benchmark.noise import doubts
from keras_kd.benchmark.request import Request

WHERE = "keras_kd.benchmark.compare"
_FEWEST_ROUNDS = 5
_RESAMPLES = 9999


@dataclass(frozen=True)
class FileTimes:
    """The times of one of the files compared.

    Attributes:
        file: str, its path.
        p50_ms: float, the median of the rounds' medians.
        min_ms: float or None, the fastest run of all.
        round_p50_ms: tuple of float, the median of each round.
        ratio: float, `p50_ms` to that of the first file.
        ratio_ci95: `(low, high)`.
    """

    file: str
    p50_ms: float
    min_ms: float | None
    round_p50_ms: tuple[float, ...]
    ratio: float
    ratio_ci95: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """Files timed in turn on one target.

    Attributes:
        target: str, see `measure`.
        measured_on: str, the class of device.
        machine: str, the device in words.
        threads: int.
        runs: int, timed in each round.
        rounds: int.
        files: tuple of `FileTimes`, in the order given.
        warnings: tuple of str, what made rounds doubtful, and how many of them.
    """

    target: str
    measured_on: str
    machine: str
    threads: int
    runs: int
    rounds: int
    files: tuple[FileTimes, ...]
    warnings: tuple[str, ...]


def compare(paths, *, target="host", rounds=11, threads=1, runs=200, warmup=20):
    """Times files in turn, each round in another order, and says how they relate.

    Args:
        paths: list of `str` or `Path`; the others are compared with the first.
        target: str, see `measure`.
        rounds: int, at least 5.
        threads: int > 0.
        runs: int > 0, timed runs of each file in each round.
        warmup: int ≥ 0, runs before them that do not count.

    Returns:
        A `Comparison`. The interval of a ratio is a percentile bootstrap over rounds,
        the same rounds of both files; with 11 rounds it is somewhat wide rather than
        narrow.

    Raises:
        ValueError: A file or an argument cannot be used.
        DeviceError: The target is not there, or gives no times.

    Reference:
        Efron and Tibshirani, 1993, https://doi.org/10.1201/9780429246593.
        Departures: none.

    Example:
        `compare(["float32.tflite", "int8.tflite"]).files[1].ratio`
    """
    numbers = {"threads": threads, "runs": runs, "warmup": warmup}
    paths = [Path(path) for path in paths]
    _check(paths, rounds)
    module, *_ = [check_request(path, target, **numbers) for path in paths]
    requests = [Request(path, target, **numbers) for path in paths]
    times = [[] for _ in paths]
    for number in range(rounds):
        for place in range(len(paths)):
            which = (place + number) % len(paths)
            times[which].append(_timed(module, requests[which]))
    first = times[0][0]
    medians = np.array([[one.p50_ms for one in of_file] for of_file in times])
    return Comparison(
        target=target,
        measured_on=first.measured_on,
        machine=first.machine,
        threads=threads,
        runs=runs,
        rounds=rounds,
        files=_file_times(paths, times, medians),
        warnings=_warnings(times),
    )


def ratio_of_medians(times, first):
    """The ratio of two medians, and its 95 % interval.

    Args:
        times: array `(rounds,)`, of the rounds of one file.
        first: the same of another, from the same rounds.

    Returns:
        `(ratio, (low, high))`.
    """
    generator = np.random.default_rng(0)
    rounds = generator.integers(0, len(times), (_RESAMPLES, len(times)))
    ratios = np.median(times[rounds], axis=1) / np.median(first[rounds], axis=1)
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(np.median(times) / np.median(first)), (float(low), float(high))


def _check(paths, rounds):
    if len(paths) < 2:
        raise invalid(
            WHERE, "two or more files", len(paths), "For one, call measure instead."
        )
    if isinstance(rounds, bool) or not isinstance(rounds, int):
        raise invalid(WHERE, "`rounds` to be an int", repr(rounds), "Pass rounds=11.")
    if rounds < _FEWEST_ROUNDS:
        raise invalid(
            WHERE,
            f"`rounds` of at least {_FEWEST_ROUNDS}, for an interval",
            rounds,
            "Pass rounds=11.",
        )


def _timed(module, request):
    measurement = module.run(request)
    if measurement.p50_ms is None:
        raise DeviceError(
            f"{request.target}: this target gives no times, so that nothing can be "
            "compared."
        )
    return measurement


def _file_times(paths, times, medians):
    files = []
    for path, of_file, row in zip(paths, times, medians, strict=True):
        ratio, interval = ratio_of_medians(row, medians[0])
        fastest = [one.min_ms for one in of_file if one.min_ms is not None]
        files.append(
            FileTimes(
                file=str(path),
                p50_ms=float(np.median(row)),
                min_ms=min(fastest, default=None),
                round_p50_ms=tuple(row.tolist()),
                ratio=ratio,
                ratio_ci95=interval,
            )
        )
    return tuple(files)


def _warnings(times):
    every = [one for of_file in times for one in of_file]
    doubtful = [found for one in every if (found := one.warnings + doubts(one))]
    if not doubtful:
        return ()
    return (f"{len(doubtful)} of {len(every)} runs were doubtful: {doubtful[0][0]}",)

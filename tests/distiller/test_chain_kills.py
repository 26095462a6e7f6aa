"""A chain that is killed and run again ends like one that was not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parent / "chain_program.py"
NEVER = 0


def start(kind, folder, batches_to_live):
    return subprocess.Popen(
        [
            sys.executable,
            PROGRAM,
            kind,
            folder / "chain",
            folder / "weights.npz",
            str(batches_to_live),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
    )


def weights(kind, folder):
    """What the program ends with when nobody kills it."""
    folder.mkdir(exist_ok=True)
    process = start(kind, folder, NEVER)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    with np.load(folder / "weights.npz") as file:
        return [file[name] for name in file.files]


def assert_same_weights(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.h5")}


@pytest.mark.slow
def test_killed_chain_goes_on_to_the_same_models(tmp_path):
    whole = weights("born_again", tmp_path / "whole")
    cut = tmp_path / "cut"
    cut.mkdir()
    # In the second epoch; then in the first epoch of the second round.
    for batches in (8, 13):
        process = start("born_again", cut, batches)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    first = files(cut / "chain" / "1-generation")
    assert [path.parent.name for path in first] == ["finished"]
    assert not (cut / "chain" / "2-generation" / "finished").exists()
    assert_same_weights(weights("born_again", cut), whole)
    assert files(cut / "chain" / "1-generation") == first


@pytest.mark.release
@pytest.mark.parametrize("kind", ["born_again", "assistants"])
def test_chain_survives_kills_at_random_moments(kind, tmp_path):
    begun = time.monotonic()
    whole = weights(kind, tmp_path / "whole")
    seconds = time.monotonic() - begun
    cut = tmp_path / "cut"
    moments = random.Random(0)
    kills = 0
    while kills == 0:
        shutil.rmtree(cut, ignore_errors=True)
        cut.mkdir()
        while kills < 20 and not (cut / "weights.npz").exists():
            process = start(kind, cut, NEVER)
            try:
                process.communicate(timeout=seconds * moments.uniform(0.5, 1.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
        seconds /= 2  # the machine has become faster than it was
    assert_same_weights(weights(kind, cut), whole)


@pytest.mark.release
@pytest.mark.parametrize(
    "pattern", ["*/checkpoint/unfinished/*.h5", "*/unfinished/*.h5"]
)
def test_chain_survives_a_kill_while_it_writes(pattern, tmp_path):
    whole = weights("born_again", tmp_path / "whole")
    cut = tmp_path / "cut"
    cut.mkdir()
    process = start("born_again", cut, NEVER)
    while process.poll() is None and not list((cut / "chain").glob(pattern)):
        pass
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert_same_weights(weights("born_again", cut), whole)

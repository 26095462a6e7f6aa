"""A run that is killed and resumed by BackupAndRestore ends like one that was not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.distiller import backup_program
from tests.distiller.backup_program import EPOCHS, NEVER

ROOT = Path(__file__).parents[2]


def run(folder, batches_to_live):
    result = subprocess.run(
        [sys.executable, backup_program.__file__, folder, str(batches_to_live)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert result.returncode == (-signal.SIGKILL if batches_to_live else 0), (
        result.stderr
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run of the same ends with that nobody kills."""
    return backup_program.train(tmp_path_factory.mktemp("whole"))


def assert_ends_like(whole, folder, epochs):
    logs, variables = whole
    with np.load(folder / "history.npz") as history:
        assert set(history) == set(logs)
        for name, values in logs.items():
            np.testing.assert_allclose(
                history[name], values[-epochs:], rtol=1e-5, err_msg=name
            )
    with np.load(folder / "variables.npz") as found:
        assert len(found) == len(variables)
        for (name, value), ours in zip(variables.items(), found.values(), strict=True):
            np.testing.assert_allclose(ours, value, 1e-5, 1e-6, err_msg=name)


@pytest.mark.slow
def test_what_must_come_back_is_there(whole):
    """The weights of a loss, moving averages, the optimizer and its count of steps."""
    paths = " ".join(whole[1])
    for part in ("distiller/hint", "moving_mean", "momentum", "iteration"):
        assert part in paths


@pytest.mark.slow
def test_run_that_was_killed_twice_ends_like_one_that_was_not(tmp_path, whole):
    # In the second epoch; then, begun again with the second, in the third.
    for batches in (8, 7):
        run(tmp_path, batches)
    assert (tmp_path / "backup").exists()
    run(tmp_path, NEVER)
    assert_ends_like(whole, tmp_path, epochs=EPOCHS - 2)


@pytest.mark.release
def test_run_that_was_killed_in_every_epoch_ends_like_one_that_was_not(tmp_path, whole):
    # In the first epoch, with nothing to go on from; then one epoch further each time.
    for batches in (3, 9, 6, 6, 4):
        run(tmp_path, batches)
    run(tmp_path, NEVER)
    assert_ends_like(whole, tmp_path, epochs=1)

"""Programs of the system that a test needs."""

import os
import shutil

import pytest


def need(*names):
    """Skips where one of the programs is not installed.

    Fails there if KERAS_KD_REQUIRE_TOOLS is set, as CI does, which installs them all.
    """
    missing = [name for name in names if not shutil.which(name)]
    if missing and not os.environ.get("KERAS_KD_REQUIRE_TOOLS"):
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert not missing, f"install {', '.join(missing)}"

"""Killed processes, full disks, two writers: files are whole or not there."""

import contextlib
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import pytest
from keras import layers

from keras_kd.export import ConversionError, LiteRtModel, _server, convert

PROGRAM = Path(__file__).with_name("export_program.py")


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((64,)), layers.Dense(10)])


def start_program(folder, units):
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(units)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def is_whole(folder):
    """Whether the file runs and is the one that its manifest is of."""
    path = folder / "m.tflite"
    LiteRtModel(path)
    manifest = json.loads(path.with_suffix(".json").read_text())
    return manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def children(process):
    return [
        int(child)
        for child in Path(f"/proc/{process}/task/{process}/children")
        .read_text()
        .split()
    ]


def server_process():
    return _server._servers[os.getpid()]._process.pid


def kill_as_soon_as(find, until):
    """Kills each process that `find` gives until told to stop."""
    while not until.is_set():
        for process in find():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.005)


def test_killed_converter_is_an_error_and_leaves_nothing(model, tmp_path):
    convert(model, tmp_path / "warm.tflite", precision="float32")
    before = sorted(tmp_path.iterdir())
    done = threading.Event()
    killer = threading.Thread(
        target=kill_as_soon_as, args=(lambda: children(server_process()), done)
    )
    killer.start()
    try:
        with pytest.raises(ConversionError, match=r"was killed.*convert again"):
            convert(model, tmp_path / "m.tflite", precision="float32")
    finally:
        done.set()
        killer.join()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_server_that_has_ended_is_started_again(model, tmp_path):
    convert(model, tmp_path / "m.tflite", precision="float32")
    first = server_process()
    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    convert(model, tmp_path / "m.tflite", precision="float32")
    assert server_process() != first
    assert is_whole(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.1, 0.5])
def test_killed_program_leaves_whole_files(after_s, tmp_path):
    program = start_program(tmp_path, 10)
    assert program.stdout.readline() == "exported\n"
    [server] = children(program.pid)
    time.sleep(after_s)
    program.kill()
    program.wait()
    assert is_whole(tmp_path)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{server}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{server}").exists()


@pytest.mark.slow
def test_two_programs_at_one_path_leave_one_whole_pair(tmp_path):
    programs = [start_program(tmp_path, units) for units in (10, 700)]
    try:
        for _ in range(4):
            for program in programs:
                assert program.stdout.readline() == "exported\n"
    finally:
        for program in programs:
            program.kill()
            program.wait()
    assert is_whole(tmp_path)


def test_full_disk_is_an_error_and_leaves_nothing(model, disk, tmp_path):
    """Without a disk to fill, the converter may write so many bytes to a file."""
    folder = disk or tmp_path
    convert(model, folder / "m.tflite", precision="float32")
    if disk is None:
        resource.prlimit(server_process(), resource.RLIMIT_FSIZE, (300_000, 300_000))
    large = keras.Sequential([keras.Input((64,)), layers.Dense(2000)])
    with pytest.raises(ConversionError, match=r"No space left|File too large"):
        convert(large, folder / "m.tflite", precision="float32")
    assert sorted(path.name for path in folder.glob("*m*")) == ["m.json", "m.tflite"]
    assert is_whole(folder)
    os.kill(server_process(), signal.SIGKILL)

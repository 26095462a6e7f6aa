"""A board gets the program, answers, and is left as it was; OpenSSH's own server."""

import os
import platform
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from keras_kd.benchmark import ssh
from keras_kd.benchmark.golden import write_golden
from keras_kd.benchmark.measurement import DeviceError
from keras_kd.benchmark.request import Request
from tests.benchmark.board import LocalBoard, has_ended, make_key
from tests.programs import need

# Longer than a test waits: it is ended before.
FOREVER = 10_000_000


@pytest.fixture
def board(tmp_path, monkeypatch):
    need("ssh", "scp", "ssh-keygen", "gcc", "make")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
    need("sshd")
    board = LocalBoard(tmp_path / "board")
    monkeypatch.setenv("PATH", f"{board.bin}:{os.environ['PATH']}")
    yield board
    board.stop()


def failure(request):
    """The one line of a run that fails."""
    with pytest.raises(DeviceError) as error:
        ssh.run(request)
    line = str(error.value)
    assert line.startswith(f"{request.target}: ")
    assert "\n" not in line
    return line


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_board_answers_as_the_host(
    board, digits_files, digits_test, precision, tmp_path
):
    expected = write_golden(
        tmp_path / "g", digits_files[precision], digits_test[0][:50]
    )
    asked = Request(
        path=digits_files[precision],
        target=board.target,
        golden=tmp_path / "g",
        runs=20,
        profile=True,
    )
    measurement = ssh.run(asked)
    np.testing.assert_array_equal(measurement.outputs.argmax(1), expected.argmax(1))
    assert measurement.measured_on.startswith("board CPU, ")
    assert (measurement.target, measurement.runs) == (board.target, 20)
    assert 0 < measurement.p50_ms <= measurement.p99_ms
    assert measurement.operations
    assert list(board.temporary.iterdir()) == []


@pytest.mark.slow
def test_greeting_of_a_shell_does_not_matter(board, digits_files):
    # What a start-up file prints comes before a program's own line.
    for name in ("mktemp", "getconf"):
        stub = board.programs / name
        stub.write_text(f'#!/bin/sh\necho "Welcome!"\nexec /usr/bin/{name} "$@"\n')
        stub.chmod(0o755)
    request = Request(path=digits_files["int8"], target=board.target, runs=5)
    assert ssh.run(request).runs == 5
    assert list(board.temporary.iterdir()) == []


@pytest.mark.slow
def test_damaged_file_is_one_line_and_nothing_stays(board, tmp_path):
    file = tmp_path / "damaged.tflite"
    file.write_bytes(b"not a model at all, only words " * 40)
    line = failure(Request(path=file, target=board.target))
    assert "is not a .tflite file that LiteRT can run" in line
    assert list(board.temporary.iterdir()) == []


def test_key_that_the_board_does_not_know(board, digits_files):
    (board.home / "user_key").unlink()
    (board.home / "user_key.pub").rename(board.home / "authorized")
    make_key(board.home / "user_key")
    os.replace(board.home / "authorized", board.home / "user_key.pub")
    line = failure(Request(path=digits_files["int8"], target=board.target))
    assert "Permission denied (publickey)" in line
    assert f"`ssh -p {board.port} " in line


def test_board_that_was_never_met(board, digits_files):
    (board.home / "known_hosts").write_text("")
    line = failure(Request(path=digits_files["int8"], target=board.target))
    assert "Host key verification failed" in line


def test_no_board_there(board, digits_files):
    board.stop()
    line = failure(Request(path=digits_files["int8"], target=board.target))
    assert "the board cannot be reached" in line
    assert "Connection refused" in line


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("uname: armv7l", 'got "armv7l"'),
        ("getconf: 32", f'got "{platform.machine()}, 32-bit system"'),
    ],
)
def test_board_that_cannot_run_litert(board, digits_files, printed, message):
    name, _, text = printed.partition(": ")
    (board.programs / name).write_text(f"#!/bin/sh\necho {text}\n")
    (board.programs / name).chmod(0o755)
    line = failure(Request(path=digits_files["int8"], target=board.target))
    assert message in line
    assert list(board.temporary.iterdir()) == []


@pytest.mark.slow
def test_board_with_an_old_system(board, digits_files, tmp_path, monkeypatch):
    """The dynamic linker's own words, as the program's."""
    text = "./run_student: /lib/libc.so.6: version `GLIBC_2.34' not found (needed)"
    program = tmp_path / "old" / "run_student"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "{text.replace("`", chr(92) + "`")}" >&2\nexit 1\n'
    )
    program.chmod(0o755)
    program.with_name("libLiteRt.so").write_bytes(b"")
    monkeypatch.setattr(ssh, "built_program", lambda *_: program)
    line = failure(Request(path=digits_files["int8"], target=board.target))
    assert line.endswith(
        "the board's system is too old, it has no GLIBC_2.34. Update it."
    )
    assert list(board.temporary.iterdir()) == []


@pytest.mark.parametrize(
    "place",
    ["-oProxyCommand=x", "pi@-board", "pi@board:port", "pi@", "a b", "a;b", "@a"],
)
def test_target_that_is_no_board(place, tmp_path):
    with pytest.raises(ValueError, match=r'target as "ssh:user@board"'):
        ssh.run(Request(path=tmp_path / "x.tflite", target=f"ssh:{place}"))


def cut_while_it_runs(board, file, cut):
    """The line of a run that `cut(pid)` interrupts, and the program's process id."""
    pids = []

    def interrupt():
        pids.append(board.running_program())
        cut()

    thread = threading.Thread(target=interrupt)
    thread.start()
    line = failure(Request(path=file, target=board.target, runs=FOREVER))
    thread.join()
    return line, pids[0]


@pytest.mark.slow
def test_connection_that_is_cut(board, colour_files):
    line, pid = cut_while_it_runs(board, colour_files["float32"], board.cut_sessions)
    assert "the board cannot be reached, or was lost" in line
    assert list(board.temporary.iterdir()) == []
    assert has_ended(pid)


@pytest.mark.slow
def test_board_that_does_not_come_back(board, colour_files):
    line, pid = cut_while_it_runs(board, colour_files["float32"], board.unplug)
    try:
        [folder] = board.temporary.iterdir()
        assert line.endswith(f"Its folder {folder} is left.")
    finally:
        os.kill(pid, signal.SIGKILL)


PROGRAM = """
import sys
from pathlib import Path
from keras_kd.benchmark import ssh
from keras_kd.benchmark.request import Request
try:
    ssh.run(Request(path=Path(sys.argv[1]), target=sys.argv[2], runs=int(sys.argv[3])))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
def test_keyboard_interrupt_leaves_nothing(board, colour_files):
    command = [sys.executable, "-c", PROGRAM, colour_files["float32"], board.target]
    ours = subprocess.Popen(
        [*map(str, command), str(FOREVER)],
        start_new_session=True,
        # A shell has its background programs ignore it, and theirs.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pid = board.running_program(seconds=120)
    # As a terminal does: to all processes there, ssh too.
    os.killpg(ours.pid, signal.SIGINT)
    assert ours.wait(timeout=60) == 130
    assert list(board.temporary.iterdir()) == []
    assert has_ended(pid)

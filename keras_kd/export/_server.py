"""A process that has imported TensorFlow and waits for models to convert."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

_PROGRAM = Path(__file__).parent / "_converter.py"
# By its path, so that it imports TensorFlow alone. That looks for a module "litert",
# which without -P would be the one in this folder.
_COMMAND = [sys.executable, "-P", str(_PROGRAM)]


def do_job(job_file):
    """Does a job of `_converter.py` in another process.

    Args:
        job_file: `Path`, see there.

    Returns:
        `(exit_code, printed)`: int, negative for a signal that ended the process, and
        what it wrote on stdout and stderr.
    """
    # Elsewhere a process that has imported TensorFlow cannot be forked safely.
    if sys.platform != "linux":
        result = subprocess.run(
            [*_COMMAND, str(job_file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return result.returncode, result.stdout
    with _lock:
        return _server_of_this_process().do_job(job_file)


class _Server:
    """The process, started when there is something to do."""

    def __init__(self):
        self._process = None

    def do_job(self, job_file):
        answer = self._ask(job_file)
        if not answer:
            # It had been idle and went, or somebody ended it.
            self.stop()
            answer = self._ask(job_file)
        if not answer:
            exit_code = self._process.wait()
            self.stop()
            return exit_code, "the process that converts models ended"
        log = job_file.with_suffix(".log")
        # A fork that was killed at once had no time to make it.
        printed = log.read_text(errors="replace") if log.exists() else ""
        return int(answer), printed

    def stop(self):
        """Ends the process, and the job that it may be doing."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._process = None

    def _ask(self, job_file):
        """The line that the process answers; "" if it has ended."""
        if self._process is None:
            # A session of its own, so that Ctrl-C reaches this process alone, and so
            # that the fork which does the job ends with it.
            self._process = subprocess.Popen(
                [*_COMMAND, "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        try:
            self._process.stdin.write(f"{job_file}\n")
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except BrokenPipeError:
            return ""
        except BaseException:
            self.stop()
            raise


_lock = threading.Lock()
_servers = {}


def _server_of_this_process():
    """A fork of this process has one of its own, not its parent's."""
    if os.getpid() not in _servers:
        _servers.clear()
        server = _servers[os.getpid()] = _Server()
        atexit.register(server.stop)
    return _servers[os.getpid()]
